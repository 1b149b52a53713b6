// SPDX-License-Identifier: Apache-2.0
// Maximum and sum of exponentials of a row by a block, or from the row's parts: what cross-entropy and scores share.
#pragma once

#include "kernels/cuda/lanes.cuh"

namespace trireme::cuda {

inline constexpr int kRowThreads = 512;

/// Calls f(index, value) for the elements of a row, each by one thread of the block; 16 bytes at a time where the row,
/// which may start anywhere, allows it.
template <class T, class F>
__device__ inline void for_row(const T* x, int count, const F& f) {
  constexpr int kLanes = 16 / static_cast<int>(sizeof(T));
  const auto address = reinterpret_cast<std::uintptr_t>(x);
  const int before = min(count, static_cast<int>((16 - address % 16) % 16 / sizeof(T)));
  const int pieces = (count - before) / kLanes;
  for (int i = static_cast<int>(threadIdx.x); i < before; i += static_cast<int>(blockDim.x)) f(i, to_float(x[i]));
  for (int p = static_cast<int>(threadIdx.x); p < pieces; p += static_cast<int>(blockDim.x)) {
    float v[kLanes];
    const int at = before + p * kLanes;
    load<kLanes>(v, x + at);
#pragma unroll
    for (int i = 0; i < kLanes; ++i) f(at + i, v[i]);
  }
  for (int i = before + pieces * kLanes + static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
    f(i, to_float(x[i]));
  }
}

/// As for_row, with f(index, value) put in the element's place.
template <class T, class F>
__device__ inline void map_row(T* x, int count, const F& f) {
  constexpr int kLanes = 16 / static_cast<int>(sizeof(T));
  const auto address = reinterpret_cast<std::uintptr_t>(x);
  const int before = min(count, static_cast<int>((16 - address % 16) % 16 / sizeof(T)));
  const int pieces = (count - before) / kLanes;
  for (int i = static_cast<int>(threadIdx.x); i < before; i += static_cast<int>(blockDim.x)) {
    store(x[i], f(i, to_float(x[i])));
  }
  for (int p = static_cast<int>(threadIdx.x); p < pieces; p += static_cast<int>(blockDim.x)) {
    float v[kLanes];
    const int at = before + p * kLanes;
    load<kLanes>(v, x + at);
#pragma unroll
    for (int i = 0; i < kLanes; ++i) v[i] = f(at + i, v[i]);
    store<kLanes>(x + at, v);
  }
  for (int i = before + pieces * kLanes + static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
    store(x[i], f(i, to_float(x[i])));
  }
}

template <class T>
__device__ inline float row_maximum(const T* x, int count, float* shared) {
  float high = -INFINITY;
  for_row(x, count, [&](int, float v) { high = v > high ? v : high; });
  return block_reduce(high, shared, -INFINITY, [](float v) { return warp_max(v); });
}

/// Sum of e^(x - high).
template <class T>
__device__ inline float exponential_sum(const T* x, int count, float high, float* shared) {
  float total = 0.0F;
  for_row(x, count, [&](int, float v) { total += expf(v - high); });
  return block_sum(total, shared);
}

/// The lowest index of a value that equals high; the last one where there is none.
template <class T>
__device__ inline int first_of(const T* x, int count, float high, int* shared) {
  int least = count - 1;
  for_row(x, count, [&](int i, float v) { least = v == high && i < least ? i : least; });
  return block_reduce(least, shared, count - 1, [](int v) { return warp_min(v); });
}

/// What is known of a row once the stats that SoftmaxPart wrote for its parts are together.
struct JoinedRow {
  float high;         // the largest logit
  float total;        // sum of e^(logit - high), parts added in their order
  float target;       // the target's logit, -inf where no part has it
  std::int32_t best;  // lowest id of the columns with the largest logit
};

/// `stats` is the row's in the first of `count` parts, `stride` floats apart. Not a number in any part is one in total.
__device__ inline JoinedRow join_parts(const float* stats, int count, std::int64_t stride) {
  JoinedRow row{-INFINITY, 0.0F, -INFINITY, -1};
  for (int part = 0; part < count; ++part) {
    const float* s = stats + part * stride;
    const auto id = __float_as_int(s[3]);
    if (id >= 0 && (row.best < 0 || s[0] > row.high || (s[0] == row.high && id < row.best))) row.best = id;
    row.high = s[0] > row.high ? s[0] : row.high;
    row.target = s[2] > row.target ? s[2] : row.target;
  }
  for (int part = 0; part < count; ++part) {
    const float* s = stats + part * stride;
    row.total += s[1] * expf(s[0] - row.high);
  }
  return row;
}

}  // namespace trireme::cuda
