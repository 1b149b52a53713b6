// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/ops.h"

#include <fmt/format.h>

#include <optional>
#include <string>

#include "core/base/error.h"
#include "kernels/cuda/device.h"
#include "kernels/scratch.h"

namespace trireme {
namespace cuda {
namespace {

/// The key of cuDNN's graph; nothing where it has none.
template <class Op>
std::optional<AttentionKey> graph_key(const Op& op, bool backward, bool deterministic) {
  if (!attention_has_graph(op.qkv, op.document_start)) return std::nullopt;
  const Shape& qkv = op.qkv.shape;
  return AttentionKey{qkv[0], qkv[1], op.heads, op.kv_heads, qkv[3], op.scale, backward, deterministic};
}

}  // namespace

void CudaOps::run(Stream& s, const Attention& op) const {
  const Range range("attention");
  CudaStream& stream = of(s);
  const auto key = graph_key(op, false, false);
  const std::lock_guard lock(mutex_);
  if (!key || !attention_.has(*key)) {
    tiled_attention(stream, op);
    return;
  }
  attention_.run(stream.handle(), *key, {.qkv = op.qkv.data, .y = op.y.data, .lse = op.lse.data},
                 stream.scratch(attention_.workspace(*key)));
}

void CudaOps::run(Stream& s, const AttentionBackward& op) const {
  const Range range("attention_backward");
  CudaStream& stream = of(s);
  const auto key = graph_key(op, true, repeats(deterministic_, op.qkv.shape[1]));
  const std::lock_guard lock(mutex_);
  if (!key || !attention_.has(*key)) {
    tiled_attention_backward(stream, op);
    return;
  }
  attention_.run(stream.handle(), *key,
                 {.qkv = op.qkv.data, .y = op.y.data, .lse = op.lse.data, .dy = op.dy.data, .d_qkv = op.d_qkv.data},
                 stream.scratch(attention_.workspace(*key)));
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
