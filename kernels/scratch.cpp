// SPDX-License-Identifier: Apache-2.0
#include "kernels/scratch.h"

#include <algorithm>

#include "kernels/document_classes.h"

namespace trireme {
namespace {

std::int64_t rounded(std::int64_t value, std::int64_t to) { return (value + to - 1) / to * to; }

/// Of the graph for `batch` sequences of `time` tokens.
std::size_t workspace(const AttentionBackward& op, std::int64_t batch, std::int64_t time, bool repeats) {
  const std::int64_t size = op.qkv.shape[3];
  const std::int64_t heads = batch * op.heads;
  std::int64_t bytes = 256 + 4 * heads * time;
  bytes += repeats ? 2 * heads * rounded(time, 64) * rounded(time, 128) : 4 * heads * time * size;
  if (op.heads != op.kv_heads) bytes += 2 * 2 * heads * time * size;
  return static_cast<std::size_t>(bytes);
}

}  // namespace

bool repeats(Determinism deterministic, std::int64_t time) {
  return deterministic == Determinism::always || (deterministic == Determinism::automatic && time <= kRepeatsTo);
}

bool attention_has_graph(const Tensor& qkv) {
  constexpr std::int64_t kLargestHead = 256;
  const std::int64_t size = qkv.shape[3];
  return qkv.dtype == Dtype::bf16 && size % 8 == 0 && size <= kLargestHead;
}

std::size_t attention_scratch(const AttentionBackward& op, Determinism deterministic) {
  if (!attention_has_graph(op.qkv)) return 0;
  const std::int64_t batch = op.qkv.shape[0];
  const std::int64_t time = op.qkv.shape[1];
  const bool kept = repeats(deterministic, time);
  if (!op.document_start) return workspace(op, batch, time, kept);
  std::size_t most = 0;
  for (const DocumentClass& one : document_classes(batch, time)) {
    most = std::max(most, workspace(op, one.sequences, one.longest, kept));
  }
  return document_table_bytes(batch, time) + most;
}

}  // namespace trireme
