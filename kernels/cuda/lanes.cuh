// SPDX-License-Identifier: Apache-2.0
// What device code shares: 16-byte accesses, conversions, and sums over warps and blocks in a fixed order.
#pragma once

#include <cuda_bf16.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <type_traits>

#include "core/base/tensor.h"
#include "kernels/cuda/check.h"
#include "kernels/cuda/stream.h"

namespace trireme::cuda {

using bf16 = __nv_bfloat16;

inline constexpr int kWarp = 32;
inline constexpr unsigned kAllLanes = 0xffffffffU;

constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
inline unsigned blocks_for(std::int64_t items, std::int64_t per_block) {
  return static_cast<unsigned>(divide_up(items, per_block));
}

template <class T>
T* data_of(const Tensor& tensor) {
  return static_cast<T*>(tensor.data);
}

/// Calls f with a value of the device's element type.
template <class F>
void with_dtype(Dtype dtype, const F& f) {
  assert(dtype == Dtype::f32 || dtype == Dtype::bf16);
  if (dtype == Dtype::bf16) {
    f(bf16{});
  } else {
    f(float{});
  }
}

/// Whether all of these start on 16 bytes (null does).
inline bool on_sixteen(std::initializer_list<const void*> pointers) {
  for (const void* pointer : pointers) {
    if (std::bit_cast<std::uintptr_t>(pointer) % 16 != 0) return false;
  }
  return true;
}

/// Calls f with how many elements of T a thread takes at once: 16 bytes of them, or 1 where `wide` is false.
template <class T, class F>
void with_lanes(bool wide, const F& f) {
  if (wide) {
    f(std::integral_constant<int, 16 / static_cast<int>(sizeof(T))>{});
  } else {
    f(std::integral_constant<int, 1>{});
  }
}

__device__ inline float to_float(float x) { return x; }
__device__ inline float to_float(bf16 x) { return __bfloat162float(x); }
__device__ inline void store(float& at, float value) { at = value; }
__device__ inline void store(bf16& at, float value) { at = __float2bfloat16_rn(value); }

template <int kBytes>
struct Word;
template <>
struct Word<16> {
  using Type = uint4;
};
template <>
struct Word<8> {
  using Type = uint2;
};
template <>
struct Word<4> {
  using Type = unsigned;
};
template <>
struct Word<2> {
  using Type = unsigned short;
};

/// N elements as they lie in memory, of at most 16 bytes.
template <int N, class T>
using Packed = typename Word<N* static_cast<int>(sizeof(T))>::Type;
template <int N, class T>
__device__ inline Packed<N, T> packed(const T* from) {
  return *reinterpret_cast<const Packed<N, T>*>(from);
}
template <int N, class T>
__device__ inline void unpack(float (&to)[N], const Packed<N, T>& word) {
  T raw[N];
  memcpy(raw, &word, sizeof word);
#pragma unroll
  for (int i = 0; i < N; ++i) to[i] = to_float(raw[i]);
}

/// N elements in one access (two where they are more than 16 bytes).
template <int N, class T>
__device__ inline void load(float (&to)[N], const T* from) {
  if constexpr (N * sizeof(T) == 32) {
    float half[N / 2];
    load<N / 2>(half, from);
    for (int i = 0; i < N / 2; ++i) to[i] = half[i];
    load<N / 2>(half, from + N / 2);
    for (int i = 0; i < N / 2; ++i) to[N / 2 + i] = half[i];
  } else {
    unpack<N, T>(to, packed<N>(from));
  }
}
template <int N, class T>
__device__ inline void store(T* to, const float (&from)[N]) {
  if constexpr (N * sizeof(T) == 32) {
    float half[N / 2];
    for (int i = 0; i < N / 2; ++i) half[i] = from[i];
    store<N / 2>(to, half);
    for (int i = 0; i < N / 2; ++i) half[i] = from[N / 2 + i];
    store<N / 2>(to + N / 2, half);
  } else {
    T raw[N];
#pragma unroll
    for (int i = 0; i < N; ++i) store(raw[i], from[i]);
    typename Word<N * sizeof(T)>::Type word;
    memcpy(&word, raw, sizeof word);
    *reinterpret_cast<typename Word<N * sizeof(T)>::Type*>(to) = word;
  }
}

/// The same on every lane.
template <class V>
__device__ inline V warp_sum(V value) {
#pragma unroll
  for (int offset = kWarp / 2; offset > 0; offset /= 2) value += __shfl_xor_sync(kAllLanes, value, offset);
  return value;
}
__device__ inline float warp_max(float value) {
#pragma unroll
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    const float other = __shfl_xor_sync(kAllLanes, value, offset);
    value = other > value ? other : value;
  }
  return value;
}
__device__ inline int warp_min(int value) {
#pragma unroll
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    const int other = __shfl_xor_sync(kAllLanes, value, offset);
    value = other < value ? other : value;
  }
  return value;
}

/// Reduces a value of each thread of the block; the same on all of them. `shared` holds a value for each warp and may
/// be used again at once. Whole warps only.
template <class V, class Reduce>
__device__ inline V block_reduce(V value, V* shared, V neutral, const Reduce& reduce) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int warps = static_cast<int>(blockDim.x) / kWarp;
  value = reduce(value);
  if (lane == 0) shared[warp] = value;
  __syncthreads();
  value = reduce(lane < warps ? shared[lane] : neutral);
  __syncthreads();
  return value;
}
template <class V>
__device__ inline V block_sum(V value, V* shared) {
  return block_reduce(value, shared, V{0}, [](V v) { return warp_sum(v); });
}

}  // namespace trireme::cuda
