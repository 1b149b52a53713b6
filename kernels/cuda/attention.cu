// SPDX-License-Identifier: Apache-2.0
// Attention forward by tiles with a running softmax (Dao 2023, FlashAttention-2), in fp32 on the plain cores.
#include "kernels/cuda/attention_tiles.cuh"
#include "kernels/cuda/kernels.h"

namespace trireme::cuda {
namespace {

template <class T>
struct Forward {
  T* y;
  float* lse;
  const T* qkv;
  const std::int32_t* document_start;
  HeadLayout s;
  float scale;
};

/// A block for each tile of queries of a head; a warp for four queries, a lane for each key of a tile.
template <class T>
__global__ void __launch_bounds__(kTileThreads) attend(const Forward<T> op) {
  extern __shared__ float memory[];
  const HeadLayout& s = op.s;
  const int pitch = s.pitch();
  float* queries = memory;
  float* keys = queries + s.tile_floats();
  float* values = keys + s.tile_floats();
  const int h = static_cast<int>(blockIdx.y);
  const int b = static_cast<int>(blockIdx.z);
  const int g = h / (s.heads / s.kv_heads);
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const std::int64_t begin = static_cast<std::int64_t>(gridDim.x - 1 - blockIdx.x) * kTile;  // the longest go first
  const int count = static_cast<int>(min(static_cast<std::int64_t>(kTile), s.time - begin));
  load_tile(queries, op.qkv + s.query(b, h) + begin * s.row(), s.row(), count, s.size, pitch, op.scale);

  float high[kRowsPerWarp];
  float total[kRowsPerWarp];
  float out[kRowsPerWarp][kMostPieces] = {};
  std::int64_t first[kRowsPerWarp];
#pragma unroll
  for (int r = 0; r < kRowsPerWarp; ++r) {
    const std::int64_t query = begin + warp * kRowsPerWarp + r;
    high[r] = -INFINITY;
    total[r] = 0.0F;
    first[r] = op.document_start != nullptr && query < s.time ? op.document_start[b * s.time + query] : 0;
  }
  // Documents are in order: the tile's first query starts earliest.
  const std::int64_t least = op.document_start == nullptr ? 0 : op.document_start[b * s.time + begin];
  for (std::int64_t key = least / kTile * kTile; key < begin + count; key += kTile) {
    const int found = static_cast<int>(min(static_cast<std::int64_t>(kTile), s.time - key));
    __syncthreads();
    load_tile(keys, op.qkv + s.key(b, g) + key * s.row(), s.row(), found, s.size, pitch);
    load_tile(values, op.qkv + s.value(b, g) + key * s.row(), s.row(), found, s.size, pitch);
    __syncthreads();
#pragma unroll
    for (int r = 0; r < kRowsPerWarp; ++r) {
      const std::int64_t query = begin + warp * kRowsPerWarp + r;
      const bool visible = key + lane <= query && key + lane >= first[r] && query < s.time;
      const float score =
          visible ? dot(queries + (warp * kRowsPerWarp + r) * pitch, keys + lane * pitch, s.size) : -INFINITY;
      const float top = fmaxf(high[r], warp_max(score));
      if (top == -INFINITY) continue;  // no key of this document yet; the same on all lanes
      const float factor = expf(high[r] - top);
      const float p = expf(score - top);
      total[r] = total[r] * factor + warp_sum(p);
      high[r] = top;
#pragma unroll
      for (int piece = 0; piece < kMostPieces; ++piece) out[r][piece] *= factor;
      for (int j = 0; j < kTile; ++j) {
        const float weight = __shfl_sync(kAllLanes, p, j);
#pragma unroll
        for (int piece = 0; piece < kMostPieces; ++piece) {
          const int k = piece * kWarp + lane;
          if (k < s.size) out[r][piece] += weight * values[j * pitch + k];
        }
      }
    }
  }
#pragma unroll
  for (int r = 0; r < kRowsPerWarp; ++r) {
    const std::int64_t query = begin + warp * kRowsPerWarp + r;
    if (query >= s.time) continue;
    T* y = op.y + s.out(b, h) + query * s.out_row();
#pragma unroll
    for (int piece = 0; piece < kMostPieces; ++piece) {
      const int k = piece * kWarp + lane;
      if (k < s.size) store(y[k], out[r][piece] / total[r]);
    }
    if (lane == 0) op.lse[s.stat(b, h) + query] = high[r] + logf(total[r]);
  }
}

}  // namespace

void tiled_attention(CudaStream& stream, const Attention& op) {
  const HeadLayout s = layout_of(op);
  if (op.qkv.elements() == 0) return;
  const auto bytes = static_cast<std::size_t>(3 * s.tile_floats()) * sizeof(float);
  with_dtype(op.y.dtype, [&](auto value) {
    using T = decltype(value);
    check(cudaFuncSetAttribute(attend<T>, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)),
          "attention's tiles are too large for a block");
    const dim3 grid(blocks_for(s.time, kTile), static_cast<unsigned>(s.heads), static_cast<unsigned>(op.qkv.shape[0]));
    attend<<<grid, kTileThreads, bytes, stream.handle()>>>(
        Forward<T>{.y = data_of<T>(op.y),
                   .lse = data_of<float>(op.lse),
                   .qkv = data_of<const T>(op.qkv),
                   .document_start = data_of<const std::int32_t>(op.document_start),
                   .s = s,
                   .scale = op.scale});
  });
  check_launch("attention");
}

}  // namespace trireme::cuda
