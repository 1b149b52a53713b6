// SPDX-License-Identifier: Apache-2.0
// Every operation: one argument struct, one run(stream, op). An operation is a noun; fields are named at the call.
//
// Letters: B batch, T time, N = B*T rows, D model, H heads, G key/value heads, K head size, F feed-forward, V
// vocabulary. Tensors named here without a dtype are in the compute dtype (fp32 or bf16, the same within one
// operation); gradients of parameters are fp32 and are added to. Accumulation is in fp32. Optional tensors may be
// empty.
#pragma once

#include <cstdint>

#include "core/base/device.h"
#include "core/base/documents.h"
#include "core/base/tensor.h"

namespace trireme {

/// y = token_table[tokens] (+ position_table[positions]). Tokens outside [first_row, first_row + rows) add nothing.
struct Embedding {
  Tensor y;               // [N, D]
  Tensor tokens;          // [N] i32
  Tensor positions;       // [N] i32; used with position_table
  Tensor token_table;     // [V, D]
  Tensor position_table;  // [P, D], optional
  std::int64_t first_row = 0;
};
/// Sums in an order that depends on the tokens alone: the same bits on every run.
struct EmbeddingBackward {
  Tensor d_token_table;     // [V, D] f32, added to
  Tensor d_position_table;  // [P, D] f32, added to, optional
  Tensor dy;                // [N, D]
  Tensor tokens;            // [N] i32
  Tensor positions;         // [N] i32
  std::int64_t first_row = 0;
};

/// y = (x - mean) * rstd * weight + bias over the last dim (Ba et al. 2016).
struct LayerNorm {
  Tensor y;       // [N, D]
  Tensor mean;    // [N] f32
  Tensor rstd;    // [N] f32
  Tensor x;       // [N, D]
  Tensor weight;  // [D]
  Tensor bias;    // [D]
  float eps = 1e-5F;
};
struct LayerNormBackward {
  Tensor dx;                // [N, D]
  Tensor d_weight;          // [D] f32, added to
  Tensor d_bias;            // [D] f32, added to
  Tensor dy;                // [N, D]
  Tensor x;                 // [N, D]
  Tensor mean;              // [N] f32
  Tensor rstd;              // [N] f32
  Tensor weight;            // [D]
  bool accumulate = false;  // dx is added to instead of written
};

/// y = x * rstd * weight, rstd = 1/sqrt(mean(x^2) + eps) (Zhang and Sennrich 2019).
struct RmsNorm {
  Tensor y;       // [N, D]
  Tensor rstd;    // [N] f32
  Tensor x;       // [N, D]
  Tensor weight;  // [D]
  float eps = 1e-5F;
};
struct RmsNormBackward {
  Tensor dx;                // [N, D]
  Tensor d_weight;          // [D] f32, added to
  Tensor dy;                // [N, D]
  Tensor x;                 // [N, D]
  Tensor rstd;              // [N] f32
  Tensor weight;            // [D]
  bool accumulate = false;  // dx is added to instead of written
};

/// y = x * weight^T (+ bias) (+ residual). `y` may be f32 while x and weight are bf16; y may be residual's memory.
struct Linear {
  Tensor y;         // [N, O]
  Tensor x;         // [N, I]
  Tensor weight;    // [O, I]
  Tensor bias;      // [O], optional
  Tensor residual;  // [N, O], optional
};
/// dx = dy * weight.
struct LinearBackwardInput {
  Tensor dx;                // [N, I]
  Tensor dy;                // [N, O]
  Tensor weight;            // [O, I]
  bool accumulate = false;  // dx is added to instead of written
};
/// d_weight += dy^T * x; d_bias += column sums of dy.
struct LinearBackwardWeight {
  Tensor d_weight;  // [O, I] f32, added to
  Tensor d_bias;    // [O] f32, added to, optional
  Tensor dy;        // [N, O]
  Tensor x;         // [N, I]
};

/// Rotates the first `rotated_heads` heads of x in place by position (Su et al. 2021); pairs are (i, i + K/2), the
/// convention of Hugging Face's Llama weights. `inverse` rotates back: that is its backward.
struct Rope {
  Tensor x;                        // [N, heads, K], heads = H + 2G packed
  Tensor positions;                // [N] i32
  Tensor cos_sin;                  // [P, K] f32: K/2 cosines, then K/2 sines
  std::int64_t rotated_heads = 0;  // H + G: queries and keys
  bool inverse = false;
};

/// Causal softmax attention; never stores T x T. Head h reads key/value head h / (H/G). With document_start, query t of
/// row b sees keys [document_start[b, t], t] only.
struct Attention {
  Tensor y;                   // [B, T, H, K]
  Tensor lse;                 // [B, H, T] f32: log-sum-exp of the scaled scores
  Tensor qkv;                 // [B, T, H + 2G, K]
  Tensor document_start;      // [B, T] i32, optional
  std::int64_t heads = 0;     // H
  std::int64_t kv_heads = 0;  // G
  float scale = 1.0F;
  DocumentLengths documents = {};  // of document_start; where they are not known it may take longer
};
struct AttentionBackward {
  Tensor d_qkv;           // [B, T, H + 2G, K], written
  Tensor dy;              // [B, T, H, K]
  Tensor y;               // [B, T, H, K]
  Tensor lse;             // [B, H, T] f32
  Tensor qkv;             // [B, T, H + 2G, K]
  Tensor document_start;  // [B, T] i32, optional
  Tensor row_dot;         // [B, H, T] f32, scratch: sum over K of dy * y
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  float scale = 1.0F;
  DocumentLengths documents = {};
};

/// y = 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) (Hendrycks and Gimpel 2016, the tanh form).
struct Gelu {
  Tensor y;  // [N, F]
  Tensor x;  // [N, F]
};
struct GeluBackward {
  Tensor dx;      // [N, F]; may be dy's memory
  Tensor dy;      // [N, F]
  Tensor x;       // [N, F]
  Tensor d_bias;  // [F] f32, the column sums of dx (as stored) added to, optional: x was the sum with this bias
};

/// y = silu(gate) * up (Shazeer 2020). gate_up holds gate in columns [0, F), up in [F, 2F).
struct SwiGlu {
  Tensor y;        // [N, F]
  Tensor gate_up;  // [N, 2F]
};
struct SwiGluBackward {
  Tensor d_gate_up;  // [N, 2F]
  Tensor dy;         // [N, F]
  Tensor gate_up;    // [N, 2F]
};

/// What one rank's columns add to the softmax of rows that are cut over S ranks: its columns are tokens first_column
/// and on, of which `vocabulary` (perhaps 0) are real and the rest padding. The ranks' stats, gathered, are the `parts`
/// of CrossEntropy and TokenScore, which never see another rank's logits.
struct SoftmaxPart {
  /// [N, 4] f32, written: the largest logit (-inf without columns); the sum of e^(logit - largest); the target's logit
  /// (-inf if it is not among these columns); the best token (lowest id on a tie, -1 without columns), an i32's bits.
  Tensor stats;
  Tensor logits;   // [N, Vl]
  Tensor targets;  // [N] i32, of all tokens
  std::int64_t vocabulary = 0;
  std::int64_t first_column = 0;
};
/// losses = -log softmax(logits)[target]; then logits become `gradient_scale` times their own gradient, in place
/// (skipped when gradient_scale is 0). Rows whose target is negative have loss 0 and gradient 0. Columns from
/// `vocabulary` on are padding: they score nothing and get gradient 0. With parts, logits are this rank's columns and
/// the losses those of the whole row, the same bits on every rank; a target that no rank has is infinitely unlikely.
struct CrossEntropy {
  Tensor losses;      // [N] f32
  Tensor logits;      // [N, V], overwritten; with parts [N, Vl]
  Tensor targets;     // [N] i32
  Tensor parts = {};  // [S, N, 4] f32, optional: every rank's SoftmaxPart stats, added in this order
  std::int64_t vocabulary = 0;
  std::int64_t first_column = 0;  // as in SoftmaxPart; 0 without parts
  float gradient_scale = 0.0F;
};
/// Log-likelihood of targets and the best token of each row (lowest id on a tie). Negative targets score 0. Columns
/// from `vocabulary` on are padding. With parts these say it all: logits may be empty, and vocabulary is not looked at.
struct TokenScore {
  Tensor log_prob;    // [N] f32
  Tensor best;        // [N] i32
  Tensor logits;      // [N, V]
  Tensor targets;     // [N] i32
  Tensor parts = {};  // [S, N, 4] f32, optional, as in CrossEntropy
  std::int64_t vocabulary = 0;
};

/// out[0] += sum of x, in a fixed order.
struct Sum {
  Tensor out;  // [1] f32
  Tensor x;    // [n] f32
};
/// out[0] += sum of squares of x, in a fixed order.
struct SquaredNorm {
  Tensor out;  // [1] f32
  Tensor x;    // [n] f32
};
/// What the optimizer multiplies gradients with: the mean over real targets instead of `expected` ones, then clipping
/// by global norm. norm = sqrt(norm_squared) * expected/count; scale = expected/count * min(1, clip / (norm + 1e-6)).
struct GradientScale {
  Tensor scale;         // [1] f32, written
  Tensor norm;          // [1] f32, written: the norm before clipping
  Tensor norm_squared;  // [1] f32
  Tensor count;         // [1] f32: targets that were scored
  float expected = 1.0F;
  float clip = 0.0F;  // 0: no clipping
  /// With it, an update is judged, and one that is not to be made gets the scale kSkippedUpdate.
  struct Guard {
    Tensor loss_sum = {};  // [1] f32: over the targets
    Tensor state = {};  // [4] f32, read and written: means of loss and norm, updates in them; whether this is skipped
    float loss_factor = 0.0F;  // times its mean is too much; 0: whatever is finite is right
    float norm_factor = 0.0F;
    float window = 1.0F;  // updates that the means look back on; nothing is judged by means over fewer
  } guard = {};
};
/// The scale with which AdamW leaves everything as it is, bit for bit. Others are never negative.
inline constexpr float kSkippedUpdate = -1.0F;
/// AdamW (Loshchilov and Hutter 2019) on a flat range, bias-corrected with step counted from 1.
struct AdamW {
  Tensor master;    // [n] f32
  Tensor first;     // [n] f32: first moment
  Tensor second;    // [n] f32: second moment
  Tensor gradient;  // [n] f32
  Tensor copy;      // [n] bf16, optional: the compute copy, rounded to nearest
  Tensor scale;     // [1] f32: multiplies the gradient; kSkippedUpdate: nothing is written
  float lr = 0.0F;
  float beta1 = 0.9F;
  float beta2 = 0.95F;
  float eps = 1e-8F;
  float weight_decay = 0.0F;
  std::int64_t step = 1;
};

/// y = x, converted.
struct Cast {
  Tensor y;  // any shape
  Tensor x;  // as many elements
};
/// y = a + b (+ bias), added in this order in fp32 and rounded once.
struct Add {
  Tensor y;          // [n], with bias [N, D]; may be a's or b's memory
  Tensor a;          // as y
  Tensor b;          // as y
  Tensor bias = {};  // [D], optional
};

/// Runs operations in stream order. Shapes and dtypes are asserted; arguments are copied, memory is borrowed until the
/// stream gets there.
class Ops {
 public:
  virtual ~Ops() = default;
  virtual void run(Stream& stream, const Embedding& op) const = 0;
  virtual void run(Stream& stream, const EmbeddingBackward& op) const = 0;
  virtual void run(Stream& stream, const LayerNorm& op) const = 0;
  virtual void run(Stream& stream, const LayerNormBackward& op) const = 0;
  virtual void run(Stream& stream, const RmsNorm& op) const = 0;
  virtual void run(Stream& stream, const RmsNormBackward& op) const = 0;
  virtual void run(Stream& stream, const Linear& op) const = 0;
  virtual void run(Stream& stream, const LinearBackwardInput& op) const = 0;
  virtual void run(Stream& stream, const LinearBackwardWeight& op) const = 0;
  virtual void run(Stream& stream, const Rope& op) const = 0;
  virtual void run(Stream& stream, const Attention& op) const = 0;
  virtual void run(Stream& stream, const AttentionBackward& op) const = 0;
  virtual void run(Stream& stream, const Gelu& op) const = 0;
  virtual void run(Stream& stream, const GeluBackward& op) const = 0;
  virtual void run(Stream& stream, const SwiGlu& op) const = 0;
  virtual void run(Stream& stream, const SwiGluBackward& op) const = 0;
  virtual void run(Stream& stream, const SoftmaxPart& op) const = 0;
  virtual void run(Stream& stream, const CrossEntropy& op) const = 0;
  virtual void run(Stream& stream, const TokenScore& op) const = 0;
  virtual void run(Stream& stream, const Sum& op) const = 0;
  virtual void run(Stream& stream, const SquaredNorm& op) const = 0;
  virtual void run(Stream& stream, const GradientScale& op) const = 0;
  virtual void run(Stream& stream, const AdamW& op) const = 0;
  virtual void run(Stream& stream, const Cast& op) const = 0;
  virtual void run(Stream& stream, const Add& op) const = 0;
};

}  // namespace trireme
