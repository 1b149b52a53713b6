// SPDX-License-Identifier: Apache-2.0
// Maximum and sum of exponentials of a row by a block, or from the row's parts: what cross-entropy and scores share.
#pragma once

#include <climits>
#include <cmath>

#include "kernels/cuda/pieces.cuh"

namespace trireme::cuda {

/// Threads of all blocks of these kernels on a multiprocessor, and of one block at most: 64 registers for each.
inline constexpr int kRowThreads = 1024;

/// e^x for x <= 0. Of bf16 the differences from the maximum are exact or nearly so, and one instruction is within
/// 2^-22.5 after a product whose rounding is that of one more difference; fp32 gets the library's.
template <class T>
__device__ inline float exponential(float x) {
  if constexpr (sizeof(T) == 2) {
    float result;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x * 1.44269504F));
    return result;
  } else {
    return expf(x);
  }
}

/// A row of `count` elements that starts anywhere: elements up to 16 bytes, pieces of 16 bytes, and what is left.
template <class T>
struct RowCut {
  __device__ RowCut(const T* x, int count)
      : before(min(count, static_cast<int>((16 - reinterpret_cast<std::uintptr_t>(x) % 16) % 16 / sizeof(T)))),
        pieces((count - before) / kPiece<T>),
        after(before + pieces * kPiece<T>) {}
  int before, pieces, after;  // after: the first element behind the pieces
};

/// What a thread knows of the elements it has seen.
template <bool kBest, class T>
struct RowSeen {
  float high = -INFINITY;  // not a number is never high, but makes the total one
  float total = 0.0F;      // sum of e^(x - base)
  float base = 0.0F;       // high; 0 while that is -inf, of which the exponential is then 0
  int best = -1;           // kBest: index of the first that equals high

  /// Elements at `at` and behind it, and they lie behind those before.
  template <int N>
  __device__ void add(const float (&v)[N], int at) {
    float top = v[0];
#pragma unroll
    for (int i = 1; i < N; ++i) top = fmaxf(top, v[i]);
    if (top > high || (kBest && best < 0)) {
      if (kBest) {
#pragma unroll
        for (int i = N - 1; i >= 0; --i) best = v[i] == top ? at + i : best;
      }
      if (top > high) {
        total *= exponential<T>(high - top);
        high = base = top;
      }
    }
    float sums[N];
#pragma unroll
    for (int i = 0; i < N; ++i) sums[i] = exponential<T>(v[i] - base);
#pragma unroll
    for (int half = N / 2; half > 0; half /= 2) {
#pragma unroll
      for (int i = 0; i < half; ++i) sums[i] += sums[i + half];
    }
    total += sums[0];
  }
};

/// A row's largest logit, sum of e^(x - high) and, where asked for, the lowest index of the largest.
struct RowStats {
  float high, total;
  int best;  // the last index where nothing is the largest
};

template <class T>
__device__ inline void join_lanes(RowStats& row) {
  const float top = warp_max(row.high);
  row.best = warp_min(row.high == top ? row.best : INT_MAX);
  row.total = warp_sum(row.total * (row.high == top ? 1.0F : exponential<T>(row.high - top)));
  row.high = top;
}

/// Reads the row once; its first `room` pieces stay in `kept`, of which each is for the thread that reads it to use.
/// The same on every thread; once for each kernel.
template <bool kBest, class T>
__device__ inline RowStats row_stats(const T* x, int count, uint4* kept, int room) {
  constexpr int kAtOnce = 4;  // accesses of a thread that are under way together
  __shared__ RowStats shared[kWarp];
  const RowCut<T> cut(x, count);
  const auto* pieces = reinterpret_cast<const uint4*>(x + cut.before);
  const int thread = static_cast<int>(threadIdx.x);
  const int step = static_cast<int>(blockDim.x);
  RowSeen<kBest, T> seen;
  if (thread < cut.before) seen.add({to_float(x[thread])}, thread);
  for (int first = thread; first < cut.pieces; first += kAtOnce * step) {
    uint4 piece[kAtOnce];
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      if (first + i * step < cut.pieces) piece[i] = pieces[first + i * step];
    }
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      const int at = first + i * step;
      if (at >= cut.pieces) break;
      if (at < room) kept[at] = piece[i];
      float v[kPiece<T>];
      unpack(v, piece[i]);
      seen.add(v, cut.before + at * kPiece<T>);
    }
  }
  if (cut.after + thread < count) seen.add({to_float(x[cut.after + thread])}, cut.after + thread);
  RowStats row{seen.high, seen.total, seen.best < 0 ? INT_MAX : seen.best};
  join_lanes<T>(row);
  const int lane = thread % kWarp;
  if (lane == 0) shared[thread / kWarp] = row;
  __syncthreads();
  row = lane < step / kWarp ? shared[lane] : RowStats{-INFINITY, 0.0F, INT_MAX};
  join_lanes<T>(row);
  row.best = row.best == INT_MAX ? count - 1 : row.best;
  return row;
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
