// SPDX-License-Identifier: Apache-2.0
// The scratch that operations take on a GPU is what is planned for them: cuDNN itself says how much its graphs need.
#include "kernels/scratch.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <vector>

#include "kernels/kernels.h"

namespace trireme {
namespace {

struct Shapes {
  std::int64_t batch, time, heads, kv_heads, size;
  Determinism deterministic;
  bool documents = false;
};
std::string text(const Shapes& s) {
  return fmt::format("[{}, {}, {} + 2 x {}, {}]{}{}", s.batch, s.time, s.heads, s.kv_heads, s.size,
                     repeats(s.deterministic, s.time) ? ", repeats" : "", s.documents ? ", documents" : "");
}

/// Runs attention forward and backward, and a product; what the device then holds beyond their tensors.
std::size_t scratch_taken(Device& device, const Ops& ops, const Shapes& s) {
  const auto stream = device.make_stream("test");
  std::vector<Buffer> buffers;
  const auto tensor = [&](Dtype dtype, const Shape& shape) {
    buffers.push_back(device.allocate(static_cast<std::size_t>(shape.elements()) * size_of(dtype)));
    return Tensor{buffers.back().data(), dtype, shape};
  };
  const Shape packed{s.batch, s.time, s.heads + 2 * s.kv_heads, s.size};
  const Shape out{s.batch, s.time, s.heads, s.size};
  const Tensor qkv = tensor(Dtype::bf16, packed);
  const Tensor y = tensor(Dtype::bf16, out);
  const Tensor lse = tensor(Dtype::f32, {s.batch, s.heads, s.time});
  const Tensor d_qkv = tensor(Dtype::bf16, packed);
  const Tensor dy = tensor(Dtype::bf16, out);
  const Tensor row_dot = tensor(Dtype::f32, {s.batch, s.heads, s.time});
  const Tensor matrix = tensor(Dtype::bf16, {256, 256});
  const Tensor product = tensor(Dtype::bf16, {256, 256});
  const Tensor document_start = s.documents ? tensor(Dtype::i32, {s.batch, s.time}) : Tensor{};
  DocumentLengths documents;
  if (s.documents) {  // each row one document
    device.zero(*stream, document_start.data, document_start.bytes());
    documents.counts[static_cast<std::size_t>(DocumentLengths::index(s.time))] = static_cast<std::int32_t>(s.batch);
  }
  const std::size_t before = device.allocated_bytes(MemoryKind::device);
  ops.run(*stream, Linear{.y = product, .x = matrix, .weight = matrix, .bias = {}, .residual = {}});
  ops.run(*stream, Attention{.y = y,
                             .lse = lse,
                             .qkv = qkv,
                             .document_start = document_start,
                             .heads = s.heads,
                             .kv_heads = s.kv_heads,
                             .scale = 0.125F,
                             .documents = documents});
  ops.run(*stream, AttentionBackward{.d_qkv = d_qkv,
                                     .dy = dy,
                                     .y = y,
                                     .lse = lse,
                                     .qkv = qkv,
                                     .document_start = document_start,
                                     .row_dot = row_dot,
                                     .heads = s.heads,
                                     .kv_heads = s.kv_heads,
                                     .scale = 0.125F,
                                     .documents = documents});
  stream->synchronize();
  return device.allocated_bytes(MemoryKind::device) - before;
}

TEST(CudaScratch, IsWhatIsPlanned) {
  if (cuda_device_count() == 0) GTEST_SKIP() << "there is no GPU";
  std::size_t larger = 0;
  for (const Shapes& s :
       {Shapes{8, 1024, 12, 12, 64, Determinism::automatic}, Shapes{8, 1024, 12, 2, 128, Determinism::automatic},
        Shapes{7, 1000, 12, 12, 64, Determinism::always}, Shapes{2, 4096, 32, 8, 64, Determinism::automatic},
        Shapes{1, 8192, 32, 8, 128, Determinism::automatic}, Shapes{2, 4096, 16, 16, 128, Determinism::never},
        Shapes{2, 3000, 25, 25, 64, Determinism::never}, Shapes{1, 64, 4, 4, 64, Determinism::automatic},
        Shapes{8, 1024, 12, 2, 128, Determinism::automatic, true},
        Shapes{3, 3000, 12, 12, 64, Determinism::never, true},
        Shapes{2, 4096, 32, 8, 64, Determinism::automatic, true}}) {
    SCOPED_TRACE(text(s));
    CudaOptions options;
    options.deterministic = s.deterministic;
    const auto gpu = make_cuda_device(options);
    const auto dry = make_dry_device(find_machine("h200", 1));
    const std::size_t taken = scratch_taken(*gpu, *make_cuda_ops(*gpu), s);
    const std::size_t planned = scratch_taken(*dry, *make_dry_ops(*dry, s.deterministic), s);
    EXPECT_EQ(planned, taken);
    larger += planned > kLeastScratch ? 1 : 0;
  }
  EXPECT_GE(larger, 6U);
}

}  // namespace
}  // namespace trireme
