// SPDX-License-Identifier: Apache-2.0
// Attention backward by tiles, in fp32 on the plain cores: queries' gradients by a walk over keys, keys' and values' by
// a walk over queries, so that nothing is added by two blocks.
#include "kernels/cuda/attention_tiles.cuh"
#include "kernels/cuda/kernels.h"

namespace trireme::cuda {
namespace {

template <class T>
struct Backward {
  T* d_qkv;
  const T* dy;
  const T* y;
  const float* lse;
  const T* qkv;
  const std::int32_t* document_start;
  float* row_dot;
  HeadLayout s;
  float scale;
};

/// row_dot = sum over K of dy * y; a warp for each row of a head.
template <class T>
__global__ void row_dots(const Backward<T> op, std::int64_t rows) {
  const std::int64_t item = static_cast<std::int64_t>(blockIdx.x) * kTileWarps + threadIdx.x / kWarp;
  if (item >= rows * op.s.heads) return;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const std::int64_t row = item / op.s.heads;
  const int h = static_cast<int>(item % op.s.heads);
  const std::int64_t at = row * op.s.out_row() + h * op.s.size;
  float sum = 0.0F;
  for (int k = lane; k < op.s.size; k += kWarp) sum += to_float(op.dy[at + k]) * to_float(op.y[at + k]);
  sum = warp_sum(sum);
  if (lane == 0) op.row_dot[op.s.stat(static_cast<int>(row / op.s.time), h) + row % op.s.time] = sum;
}

template <class T>
__global__ void __launch_bounds__(kTileThreads) query_gradient(const Backward<T> op) {
  extern __shared__ float memory[];
  const HeadLayout& s = op.s;
  const int pitch = s.pitch();
  float* queries = memory;
  float* slopes = queries + s.tile_floats();  // dy
  float* keys = slopes + s.tile_floats();
  float* values = keys + s.tile_floats();
  const int h = static_cast<int>(blockIdx.y);
  const int b = static_cast<int>(blockIdx.z);
  const int g = h / (s.heads / s.kv_heads);
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const std::int64_t begin = static_cast<std::int64_t>(gridDim.x - 1 - blockIdx.x) * kTile;
  const int count = static_cast<int>(min(static_cast<std::int64_t>(kTile), s.time - begin));
  load_tile(queries, op.qkv + s.query(b, h) + begin * s.row(), s.row(), count, s.size, pitch);
  load_tile(slopes, op.dy + s.out(b, h) + begin * s.out_row(), s.out_row(), count, s.size, pitch);
  float d_query[kRowsPerWarp][kMostPieces] = {};
  const std::int64_t least = op.document_start == nullptr ? 0 : op.document_start[b * s.time + begin];
  for (std::int64_t key = least / kTile * kTile; key < begin + count; key += kTile) {
    const int found = static_cast<int>(min(static_cast<std::int64_t>(kTile), s.time - key));
    __syncthreads();
    load_tile(keys, op.qkv + s.key(b, g) + key * s.row(), s.row(), found, s.size, pitch);
    load_tile(values, op.qkv + s.value(b, g) + key * s.row(), s.row(), found, s.size, pitch);
    __syncthreads();
#pragma unroll
    for (int r = 0; r < kRowsPerWarp; ++r) {
      const int local = warp * kRowsPerWarp + r;
      const std::int64_t query = begin + local;
      if (query >= s.time) continue;
      const std::int64_t first = op.document_start == nullptr ? 0 : op.document_start[b * s.time + query];
      float d_score = 0.0F;
      if (key + lane <= query && key + lane >= first) {
        const float score = dot(queries + local * pitch, keys + lane * pitch, s.size) * op.scale;
        const float p = expf(score - op.lse[s.stat(b, h) + query]);
        const float slope = dot(slopes + local * pitch, values + lane * pitch, s.size);
        d_score = p * (slope - op.row_dot[s.stat(b, h) + query]) * op.scale;
      }
      for (int j = 0; j < kTile; ++j) {
        const float weight = __shfl_sync(kAllLanes, d_score, j);
#pragma unroll
        for (int piece = 0; piece < kMostPieces; ++piece) {
          const int k = piece * kWarp + lane;
          if (k < s.size) d_query[r][piece] += weight * keys[j * pitch + k];
        }
      }
    }
  }
#pragma unroll
  for (int r = 0; r < kRowsPerWarp; ++r) {
    const std::int64_t query = begin + warp * kRowsPerWarp + r;
    if (query >= s.time) continue;
    T* out = op.d_qkv + s.query(b, h) + query * s.row();
#pragma unroll
    for (int piece = 0; piece < kMostPieces; ++piece) {
      const int k = piece * kWarp + lane;
      if (k < s.size) store(out[k], d_query[r][piece]);
    }
  }
}

/// A block for each tile of keys of a key/value head; a warp for four keys, a lane for each query of a tile.
template <class T>
__global__ void __launch_bounds__(kTileThreads) key_value_gradient(const Backward<T> op) {
  extern __shared__ float memory[];
  const HeadLayout& s = op.s;
  const int pitch = s.pitch();
  float* queries = memory;
  float* slopes = queries + s.tile_floats();
  float* keys = slopes + s.tile_floats();
  float* values = keys + s.tile_floats();
  const int g = static_cast<int>(blockIdx.y);
  const int b = static_cast<int>(blockIdx.z);
  const int group = s.heads / s.kv_heads;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const std::int64_t begin = static_cast<std::int64_t>(blockIdx.x) * kTile;
  const int count = static_cast<int>(min(static_cast<std::int64_t>(kTile), s.time - begin));
  load_tile(keys, op.qkv + s.key(b, g) + begin * s.row(), s.row(), count, s.size, pitch);
  load_tile(values, op.qkv + s.value(b, g) + begin * s.row(), s.row(), count, s.size, pitch);
  float d_key[kRowsPerWarp][kMostPieces] = {};
  float d_value[kRowsPerWarp][kMostPieces] = {};
  for (int h = g * group; h < (g + 1) * group; ++h) {
    for (std::int64_t at = begin; at < s.time; at += kTile) {
      const int found = static_cast<int>(min(static_cast<std::int64_t>(kTile), s.time - at));
      // Documents are in order: queries from the first on that does not see the last key of the tile see none of them.
      if (op.document_start != nullptr && op.document_start[b * s.time + at] > begin + count - 1) break;
      __syncthreads();
      load_tile(queries, op.qkv + s.query(b, h) + at * s.row(), s.row(), found, s.size, pitch);
      load_tile(slopes, op.dy + s.out(b, h) + at * s.out_row(), s.out_row(), found, s.size, pitch);
      __syncthreads();
      const std::int64_t query = at + lane;
      const std::int64_t first =
          op.document_start == nullptr || query >= s.time ? 0 : op.document_start[b * s.time + query];
      const float lse = query < s.time ? op.lse[s.stat(b, h) + query] : 0.0F;
      const float own_dot = query < s.time ? op.row_dot[s.stat(b, h) + query] : 0.0F;
#pragma unroll
      for (int r = 0; r < kRowsPerWarp; ++r) {
        const int local = warp * kRowsPerWarp + r;
        const std::int64_t key = begin + local;
        float p = 0.0F;
        float d_score = 0.0F;
        if (query < s.time && key <= query && key >= first) {
          p = expf(dot(queries + lane * pitch, keys + local * pitch, s.size) * op.scale - lse);
          d_score = p * (dot(slopes + lane * pitch, values + local * pitch, s.size) - own_dot) * op.scale;
        }
        for (int j = 0; j < kTile; ++j) {
          const float weight = __shfl_sync(kAllLanes, p, j);
          const float d_weight = __shfl_sync(kAllLanes, d_score, j);
#pragma unroll
          for (int piece = 0; piece < kMostPieces; ++piece) {
            const int k = piece * kWarp + lane;
            if (k >= s.size) continue;
            d_value[r][piece] += weight * slopes[j * pitch + k];
            d_key[r][piece] += d_weight * queries[j * pitch + k];
          }
        }
      }
    }
  }
#pragma unroll
  for (int r = 0; r < kRowsPerWarp; ++r) {
    const std::int64_t key = begin + warp * kRowsPerWarp + r;
    if (key >= s.time) continue;
#pragma unroll
    for (int piece = 0; piece < kMostPieces; ++piece) {
      const int k = piece * kWarp + lane;
      if (k >= s.size) continue;
      store(op.d_qkv[s.key(b, g) + key * s.row() + k], d_key[r][piece]);
      store(op.d_qkv[s.value(b, g) + key * s.row() + k], d_value[r][piece]);
    }
  }
}

}  // namespace

void tiled_attention_backward(CudaStream& stream, const AttentionBackward& op) {
  const HeadLayout s = layout_of(op);
  if (op.qkv.elements() == 0) return;
  const std::int64_t batch = op.qkv.shape[0];
  const auto bytes = static_cast<std::size_t>(4 * s.tile_floats()) * sizeof(float);
  with_dtype(op.y.dtype, [&](auto value) {
    using T = decltype(value);
    const Backward<T> work{.d_qkv = data_of<T>(op.d_qkv),
                           .dy = data_of<const T>(op.dy),
                           .y = data_of<const T>(op.y),
                           .lse = data_of<const float>(op.lse),
                           .qkv = data_of<const T>(op.qkv),
                           .document_start = data_of<const std::int32_t>(op.document_start),
                           .row_dot = data_of<float>(op.row_dot),
                           .s = s,
                           .scale = op.scale};
    const std::int64_t rows = batch * s.time;
    row_dots<<<blocks_for(rows * s.heads, kTileWarps), kTileThreads, 0, stream.handle()>>>(work, rows);
    check_launch("attention_backward");
    for (const auto kernel : {query_gradient<T>, key_value_gradient<T>}) {
      check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)),
            "attention's tiles are too large for a block");
    }
    const unsigned tiles = blocks_for(s.time, kTile);
    const auto rest = static_cast<unsigned>(batch);
    query_gradient<<<dim3(tiles, static_cast<unsigned>(s.heads), rest), kTileThreads, bytes, stream.handle()>>>(work);
    check_launch("attention_backward");
    key_value_gradient<<<dim3(tiles, static_cast<unsigned>(s.kv_heads), rest), kTileThreads, bytes, stream.handle()>>>(
        work);
  });
  check_launch("attention_backward");
}

}  // namespace trireme::cuda
