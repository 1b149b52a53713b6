// SPDX-License-Identifier: Apache-2.0
// Every operation by its formula in double, naively: what kernels of all backends are compared with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace trireme::reference {

using Values = std::vector<double>;
using Index = std::vector<std::int32_t>;

/// y [n, o] = x [n, i] * w [o, i]^T (+ bias [o]) (+ residual [n, o]).
Values linear(const Values& x, const Values& w, const Values& bias, const Values& residual, std::size_t n,
              std::size_t i, std::size_t o);
/// dx [n, i] = dy [n, o] * w [o, i].
Values linear_backward_input(const Values& dy, const Values& w, std::size_t n, std::size_t i, std::size_t o);
/// dw [o, i] = dy [n, o]^T * x [n, i].
Values linear_backward_weight(const Values& dy, const Values& x, std::size_t n, std::size_t i, std::size_t o);
/// [columns] sums of x [rows, columns].
Values column_sums(const Values& x, std::size_t rows, std::size_t columns);

struct Norm {
  Values y, mean, rstd;
};
struct NormGradient {
  Values dx, d_weight, d_bias;
};
Norm layer_norm(const Values& x, const Values& weight, const Values& bias, std::size_t width, double eps);
NormGradient layer_norm_backward(const Values& dy, const Values& x, const Values& weight, std::size_t width,
                                 double eps);
Norm rms_norm(const Values& x, const Values& weight, std::size_t width, double eps);
NormGradient rms_norm_backward(const Values& dy, const Values& x, const Values& weight, std::size_t width, double eps);

struct AttentionSizes {
  std::size_t batch, time, heads, kv_heads, size;
  double scale;
};
struct AttentionResult {
  Values y, lse;
};
/// document_start empty: no document mask.
AttentionResult attention(const Values& qkv, const Index& document_start, const AttentionSizes& sizes);
Values attention_backward(const Values& dy, const Values& qkv, const Index& document_start,
                          const AttentionSizes& sizes);

Values gelu(const Values& x);
Values gelu_backward(const Values& dy, const Values& x);
Values swiglu(const Values& gate_up, std::size_t width);
Values swiglu_backward(const Values& dy, const Values& gate_up, std::size_t width);

struct Entropy {
  Values losses, gradient;  // gradient of the sum of losses
};
Entropy cross_entropy(const Values& logits, const Index& targets, std::size_t width, std::size_t vocabulary);

/// Rotates the first `rotated` of `heads` heads of each row by position; angle of pair i is position * frequency[i].
Values rope(const Values& x, const Index& positions, const Values& frequency, std::size_t heads, std::size_t rotated,
            bool inverse);

struct AdamState {
  Values master, first, second;
};
void adamw(AdamState& state, const Values& gradient, double scale, double lr, double beta1, double beta2, double eps,
           double weight_decay, int step);

}  // namespace trireme::reference
