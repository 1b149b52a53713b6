// SPDX-License-Identifier: Apache-2.0
#include "core/model/architecture.h"

namespace trireme {
namespace {

// Elements of the matrices of one block.
std::int64_t block_matrices(const Architecture& a) {
  const std::int64_t attention = a.width * a.head_size * (a.heads + 2 * a.kv_heads) + a.heads * a.head_size * a.width;
  const std::int64_t up_matrices = a.family == Family::llama ? 2 : 1;
  return attention + (up_matrices + 1) * a.width * a.feed_forward;
}

// Norm weights and biases of one block.
std::int64_t block_vectors(const Architecture& a) {
  const std::int64_t qkv = a.qkv_bias ? (a.heads + 2 * a.kv_heads) * a.head_size : 0;
  if (a.family == Family::llama) return 2 * a.width + qkv;
  return 4 * a.width + qkv + a.width + a.feed_forward + a.width;
}

}  // namespace

std::int64_t parameter_count(const Architecture& a) {
  const bool gpt2 = a.family == Family::gpt2;
  const std::int64_t tables = (a.tied ? 1 : 2) * a.vocabulary * a.width + (gpt2 ? a.context * a.width : 0);
  const std::int64_t last_norm = (gpt2 ? 2 : 1) * a.width;
  return tables + a.layers * (block_matrices(a) + block_vectors(a)) + last_norm;
}

std::int64_t matmul_parameter_count(const Architecture& a) {
  return a.layers * block_matrices(a) + a.vocabulary * a.width;
}

double training_flops_per_token(const Architecture& a, std::int64_t time) {
  const auto attention = static_cast<double>(a.layers * a.heads * a.head_size) * static_cast<double>(time);
  return 6.0 * static_cast<double>(matmul_parameter_count(a)) + 6.0 * attention;
}

}  // namespace trireme
