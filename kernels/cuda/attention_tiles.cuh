// SPDX-License-Identifier: Apache-2.0
// What attention's own kernels share: the layout of packed heads, and tiles of rows in shared memory, in fp32.
#pragma once

#include "kernels/cuda/lanes.cuh"

namespace trireme::cuda {

inline constexpr int kTile = kWarp;  // queries of a tile, and keys: a lane for each
inline constexpr int kTileWarps = 8;
inline constexpr int kTileThreads = kTileWarps * kWarp;
inline constexpr int kRowsPerWarp = kTile / kTileWarps;
inline constexpr int kMostPieces = 8;  // of a head, 32 elements each: sizes up to 256

struct HeadLayout {
  std::int64_t time;
  int heads, kv_heads, size;

  __host__ __device__ std::int64_t row() const { return static_cast<std::int64_t>(heads + 2 * kv_heads) * size; }
  __host__ __device__ std::int64_t out_row() const { return static_cast<std::int64_t>(heads) * size; }
  __device__ std::int64_t query(int b, int h) const { return b * time * row() + h * size; }
  __device__ std::int64_t key(int b, int g) const { return query(b, heads + g); }
  __device__ std::int64_t value(int b, int g) const { return query(b, heads + kv_heads + g); }
  __device__ std::int64_t out(int b, int h) const { return b * time * out_row() + h * size; }
  __device__ std::int64_t stat(int b, int h) const { return (static_cast<std::int64_t>(b) * heads + h) * time; }
  /// Rows of a tile lie this far apart, so that a warp that reads down a column meets each bank once.
  __host__ __device__ int pitch() const { return size + 1 - size % 2; }
  __host__ __device__ int tile_floats() const { return kTile * pitch(); }
};

template <class Op>
HeadLayout layout_of(const Op& op) {
  const HeadLayout s{op.qkv.shape[1], static_cast<int>(op.heads), static_cast<int>(op.kv_heads),
                     static_cast<int>(op.qkv.shape[3])};
  assert(op.heads % op.kv_heads == 0 && op.qkv.shape[2] == op.heads + 2 * op.kv_heads);
  assert(s.size <= kMostPieces * kWarp);
  return s;
}

/// to [kTile, pitch] = `count` rows, `row` elements apart, times `factor`; zeros below them.
template <class T>
__device__ inline void load_tile(float* to, const T* from, std::int64_t row, int count, int size, int pitch,
                                 float factor = 1.0F) {
  for (int at = static_cast<int>(threadIdx.x); at < kTile * size; at += kTileThreads) {
    const int r = at / size;
    const int k = at % size;
    to[r * pitch + k] = r < count ? to_float(from[r * row + k]) * factor : 0.0F;
  }
}

__device__ inline float dot(const float* a, const float* b, int size) {
  float sum = 0.0F;
  for (int k = 0; k < size; ++k) sum += a[k] * b[k];
  return sum;
}

}  // namespace trireme::cuda
