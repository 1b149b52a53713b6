// SPDX-License-Identifier: Apache-2.0
// The shape of a model: everything that fixes its parameters, and nothing about how it is trained.
#pragma once

#include <cstdint>
#include <string>

namespace trireme {

enum class Family { gpt2, llama };

/// Rotary positions (Su et al. 2021); factor > 1 is Llama-3.1's scaling of low frequencies.
struct RopeConfig {
  double theta = 10000.0;
  double factor = 1.0;
  double low_frequency_factor = 1.0;
  double high_frequency_factor = 4.0;
  std::int64_t original_context = 8192;

  bool operator==(const RopeConfig&) const = default;
};

/// How initial sizes and learning rates depend on the width: core/model/parametrization.h.
enum class Parametrization { standard, mup };

/// gpt2: LayerNorm, learned positions, GELU-tanh, biases everywhere, tied head.
/// llama: RMSNorm, RoPE, SwiGLU, grouped queries, no biases but optionally on queries, keys and values.
struct Architecture {
  Family family = Family::gpt2;
  std::int64_t vocabulary = 50257;
  std::int64_t context = 1024;
  std::int64_t layers = 12;
  std::int64_t width = 768;          // D
  std::int64_t heads = 12;           // H
  std::int64_t kv_heads = 12;        // G; divides H
  std::int64_t head_size = 64;       // K
  std::int64_t feed_forward = 3072;  // F
  double norm_eps = 1e-5;
  bool tied = true;
  bool qkv_bias = true;
  RopeConfig rope{};
  Parametrization parametrization = Parametrization::standard;
  std::int64_t base_width = 256;    // mup: where it is the standard one
  std::int64_t base_head_size = 0;  // mup: likewise; 0: head_size, as of models whose heads grow in number alone

  bool operator==(const Architecture&) const = default;
};

/// Parameters, a tied head counted once: must equal ParamTable::count() of the model built from it.
std::int64_t parameter_count(const Architecture& a);
/// Parameters that multiply an activation in a matrix product: the head counted once also when tied, no input table, no
/// positions, no norms, no biases.
std::int64_t matmul_parameter_count(const Architecture& a);
/// FLOPs of forward and backward per token, causal convention: 6 * N_matmul + 6 * L * H * K * T.
double training_flops_per_token(const Architecture& a, std::int64_t time);

}  // namespace trireme
