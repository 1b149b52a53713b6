// SPDX-License-Identifier: Apache-2.0
// Attention by cuDNN: a graph for each shape, built once, forward and backward.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace trireme::cuda {

/// What a graph depends on; packed qkv [B, T, H + 2G, K], outputs [B, T, H, K], both bf16, causal. With documents the
/// graph takes `batch` sequences of at most `time` tokens that lie anywhere in these: sequences of a ragged batch.
struct AttentionKey {
  std::int64_t batch, time, heads, kv_heads, size;
  std::int64_t row_time;  // with documents: T of the rows that they are parts of; else 0
  float scale;
  bool backward;
  bool deterministic;  // of the backward pass: the same bits on every run

  auto operator<=>(const AttentionKey&) const = default;
};

/// The memory of one call; d_qkv and dy in the backward pass only.
struct AttentionMemory {
  void* qkv = nullptr;
  void* y = nullptr;
  void* lse = nullptr;
  void* dy = nullptr;
  void* d_qkv = nullptr;
  /// With documents, of the first sequence of this call, read only.
  std::int32_t* lengths = nullptr;
  std::int64_t* qkv_begin = nullptr;
  std::int64_t* y_begin = nullptr;
  std::int64_t* lse_begin = nullptr;
};

/// Graphs by key. Not for several threads at once.
class AttentionPlans {
 public:
  AttentionPlans();
  ~AttentionPlans();
  AttentionPlans(const AttentionPlans&) = delete;
  AttentionPlans& operator=(const AttentionPlans&) = delete;

  /// Whether cuDNN has a plan for this key; builds it at the first question.
  bool has(const AttentionKey& key);
  /// Why there is none.
  const std::string& refusal(const AttentionKey& key);
  /// Bytes of scratch that run() needs.
  std::size_t workspace(const AttentionKey& key);
  void run(cudaStream_t stream, const AttentionKey& key, const AttentionMemory& memory, void* workspace);

 private:
  struct Graphs;
  std::unique_ptr<Graphs> graphs_;
};

}  // namespace trireme::cuda
