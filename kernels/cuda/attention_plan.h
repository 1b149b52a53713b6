// SPDX-License-Identifier: Apache-2.0
// Attention by cuDNN: a graph for each shape, built once, forward and backward.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace trireme::cuda {

/// What a graph depends on; packed qkv [B, T, H + 2G, K], outputs [B, T, H, K], both bf16, causal.
struct AttentionKey {
  std::int64_t batch, time, heads, kv_heads, size;
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
  /// Bytes of scratch that run() needs.
  std::size_t workspace(const AttentionKey& key);
  void run(cudaStream_t stream, const AttentionKey& key, const AttentionMemory& memory, void* workspace);

 private:
  struct Graphs;
  std::unique_ptr<Graphs> graphs_;
};

}  // namespace trireme::cuda
