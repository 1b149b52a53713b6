// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/ops.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "kernels/cuda/attention_documents.h"
#include "kernels/cuda/device.h"
#include "kernels/scratch.h"

namespace trireme {
namespace cuda {
namespace {

/// The key of cuDNN's graph without documents; nothing where it has none, and for documents that nobody counted.
template <class Op>
std::optional<AttentionKey> graph_key(const Op& op, bool backward, bool deterministic) {
  if (!attention_has_graph(op.qkv) || (op.document_start && !op.documents.known())) return std::nullopt;
  return AttentionKey{.batch = op.qkv.shape[0],
                      .time = op.qkv.shape[1],
                      .heads = op.heads,
                      .kv_heads = op.kv_heads,
                      .size = op.qkv.shape[3],
                      .row_time = 0,
                      .scale = op.scale,
                      .backward = backward,
                      .deterministic = deterministic};
}

/// On stderr, the first time in this process.
void say_once(const std::string& warning) {
  static std::once_flag said;
  std::call_once(said, [&] { fmt::print(stderr, "trireme: warning: {}\n", warning); });
}

/// Attention by a graph for each class of documents, one after the other; false where cuDNN has none for one of them.
template <class Op>
bool attend_documents(CudaStream& stream, AttentionPlans& plans, const AttentionKey& whole, const Op& op,
                      AttentionMemory memory) {
  const auto classes = document_classes(whole.batch, whole.time, op.documents);
  std::vector<AttentionKey> keys(classes.size(), whole);
  std::size_t workspace = 0;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    // Also for lengths that this batch has none of: graphs and scratch are there after the first step.
    keys[c].batch = classes[c].sequences;
    keys[c].time = classes[c].longest;
    keys[c].row_time = whole.time;
    if (!plans.has(keys[c])) {
      say_once(fmt::format("attention within documents is slow here ({} heads over {} of {}): {}", whole.heads,
                           whole.kv_heads, whole.size, plans.refusal(keys[c])));
      return false;
    }
    workspace = std::max(workspace, plans.workspace(keys[c]));
  }
  const std::size_t table_bytes = document_table_bytes(whole.batch, whole.time);
  auto* scratch = static_cast<std::byte*>(stream.scratch(table_bytes + workspace));
  const DocumentTables tables =
      fill_document_tables(stream, scratch, op.document_start, classes, (whole.heads + 2 * whole.kv_heads) * whole.size,
                           whole.heads * whole.size, whole.heads);
  for (std::size_t c = 0; c < classes.size(); ++c) {
    for (std::int64_t run = 0; run < classes[c].runs; ++run) {
      const std::int64_t slot = classes[c].first + run * classes[c].stride();
      memory.lengths = tables.lengths + slot;
      memory.qkv_begin = tables.qkv + slot;
      memory.y_begin = tables.y + slot;
      memory.lse_begin = tables.lse + slot;
      plans.run(stream.handle(), keys[c], memory, scratch + table_bytes);
    }
  }
  return true;
}

/// Whether cuDNN did it.
template <class Op>
bool attend(CudaStream& stream, AttentionPlans& plans, const std::optional<AttentionKey>& key, const Op& op,
            const AttentionMemory& memory) {
  if (!key) return false;
  if (op.document_start) return attend_documents(stream, plans, *key, op, memory);
  if (!plans.has(*key)) return false;
  plans.run(stream.handle(), *key, memory, stream.scratch(plans.workspace(*key)));
  return true;
}

}  // namespace

void CudaOps::run(Stream& s, const Attention& op) const {
  const Range range("attention");
  CudaStream& stream = of(s);
  const std::lock_guard lock(mutex_);
  const AttentionMemory memory{.qkv = op.qkv.data, .y = op.y.data, .lse = op.lse.data};
  if (!attend(stream, attention_, graph_key(op, false, false), op, memory)) tiled_attention(stream, op);
}

void CudaOps::run(Stream& s, const AttentionBackward& op) const {
  const Range range("attention_backward");
  CudaStream& stream = of(s);
  const std::lock_guard lock(mutex_);
  const AttentionMemory memory{
      .qkv = op.qkv.data, .y = op.y.data, .lse = op.lse.data, .dy = op.dy.data, .d_qkv = op.d_qkv.data};
  const auto key = graph_key(op, true, repeats(deterministic_, op.qkv.shape[1]));
  if (!attend(stream, attention_, key, op, memory)) tiled_attention_backward(stream, op);
}

}  // namespace cuda

std::unique_ptr<Ops> make_cuda_ops(Device& device) {
  auto* cuda_device = dynamic_cast<cuda::CudaDevice*>(&device);
  check(cuda_device != nullptr, "CUDA operations need a CUDA device, got '{}'", device.description());
  const auto& options = cuda_device->options();
  const std::string folder = options.products == ProductChoice::measured ? options.cache : "";
  const std::string machine = fmt::format("{}-{}", cuda_device->name(), cublasLtGetVersion());
  return std::make_unique<cuda::CudaOps>(options.deterministic, cuda::ProductChoices(folder, machine));
}

}  // namespace trireme
