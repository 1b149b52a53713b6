// SPDX-License-Identifier: Apache-2.0
// LayerNorm and RMSNorm are one kernel each way: with a mean and a bias, or without.
#pragma once

#include "kernels/cuda/column_sums.cuh"
#include "kernels/cuda/lanes.cuh"

namespace trireme::cuda {

template <class T>
struct NormForward {
  T* y;
  float* mean;  // null: RMSNorm
  float* rstd;
  const T* x;
  const T* weight;
  const T* bias;
  std::int64_t rows;
  int width;
  float eps;
};

inline constexpr int kNormWarps = 4;

/// A warp for each row. The row is read again for each of the passes, from the first-level cache.
template <int N, bool kCentred, class T>
__global__ void norm_forward(const NormForward<T> op) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * kNormWarps + threadIdx.x / kWarp;
  if (row >= op.rows) return;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const T* x = op.x + row * op.width;
  T* y = op.y + row * op.width;
  const float inverse = 1.0F / static_cast<float>(op.width);
  float mean = 0.0F;
  if constexpr (kCentred) {
    for (int at = lane * N; at < op.width; at += kWarp * N) {
      float v[N];
      load<N>(v, x + at);
#pragma unroll
      for (int i = 0; i < N; ++i) mean += v[i];
    }
    mean = warp_sum(mean) * inverse;
  }
  float squares = 0.0F;
  for (int at = lane * N; at < op.width; at += kWarp * N) {
    float v[N];
    load<N>(v, x + at);
#pragma unroll
    for (int i = 0; i < N; ++i) squares += (v[i] - mean) * (v[i] - mean);
  }
  const float rstd = 1.0F / sqrtf(warp_sum(squares) * inverse + op.eps);
  for (int at = lane * N; at < op.width; at += kWarp * N) {
    float v[N];
    float w[N];
    load<N>(v, x + at);
    load<N>(w, op.weight + at);
#pragma unroll
    for (int i = 0; i < N; ++i) v[i] = (v[i] - mean) * rstd * w[i];
    if constexpr (kCentred) {
      load<N>(w, op.bias + at);
#pragma unroll
      for (int i = 0; i < N; ++i) v[i] += w[i];
    }
    store<N>(y + at, v);
  }
  if (lane == 0) {
    op.rstd[row] = rstd;
    if constexpr (kCentred) op.mean[row] = mean;
  }
}

template <bool kCentred, class T>
void launch_norm_forward(CudaStream& stream, const NormForward<T>& op) {
  if (op.rows == 0) return;
  const bool wide = on_sixteen({op.y, op.x, op.weight, op.bias}) && op.width * sizeof(T) % 16 == 0;
  with_lanes<T>(wide, [&](auto lanes) {
    constexpr int kLanes = decltype(lanes)::value;
    norm_forward<kLanes, kCentred><<<blocks_for(op.rows, kNormWarps), kNormWarps * kWarp, 0, stream.handle()>>>(op);
  });
  check_launch("a norm");
}

template <class T>
struct NormBackward {
  T* dx;
  const T* dy;
  const T* x;
  const float* mean;  // null: RMSNorm
  const float* rstd;
  const T* weight;
  float* parts;  // [blocks, 2, width] (RMSNorm: [blocks, width])
  std::int64_t rows;
  int width;
  bool accumulate;
};

inline constexpr int kNormMost = 1024;  // threads

/// A block walks over every gridDim.x-th row; each thread keeps its columns, kPer pieces of N, and their sums for the
/// parameters' gradients.
template <int N, int kPer, bool kCentred, class T>
__global__ void __launch_bounds__(kNormMost) norm_backward(const NormBackward<T> op) {
  __shared__ float shared[2][kWarp];
  float d_weight[kPer][N] = {};
  float d_bias[kPer][N] = {};
  float w[kPer][N] = {};
  const int step = static_cast<int>(blockDim.x) * N;
  const int begin = static_cast<int>(threadIdx.x) * N;
#pragma unroll
  for (int p = 0; p < kPer; ++p) {
    if (begin + p * step < op.width) load<N>(w[p], op.weight + begin + p * step);
  }
  const float inverse = 1.0F / static_cast<float>(op.width);
  for (std::int64_t row = blockIdx.x; row < op.rows; row += gridDim.x) {
    const T* x = op.x + row * op.width;
    const T* dy = op.dy + row * op.width;
    T* dx = op.dx + row * op.width;
    const float rstd = op.rstd[row];
    const float mean = kCentred ? op.mean[row] : 0.0F;
    float unit[kPer][N];
    float g[kPer][N];
    float along = 0.0F;
    float total = 0.0F;
#pragma unroll
    for (int p = 0; p < kPer; ++p) {
      const int at = begin + p * step;
      if (at >= op.width) continue;
      load<N>(unit[p], x + at);
      load<N>(g[p], dy + at);
#pragma unroll
      for (int i = 0; i < N; ++i) {
        unit[p][i] = (unit[p][i] - mean) * rstd;
        d_weight[p][i] += g[p][i] * unit[p][i];
        d_bias[p][i] += g[p][i];
        g[p][i] *= w[p][i];
        along += g[p][i] * unit[p][i];
        total += g[p][i];
      }
    }
    along = block_sum(along, shared[0]) * inverse;
    total = kCentred ? block_sum(total, shared[1]) * inverse : 0.0F;
#pragma unroll
    for (int p = 0; p < kPer; ++p) {
      const int at = begin + p * step;
      if (at >= op.width) continue;
#pragma unroll
      for (int i = 0; i < N; ++i) g[p][i] = (g[p][i] - total - unit[p][i] * along) * rstd;
      if (op.accumulate) {
        load<N>(unit[p], dx + at);
#pragma unroll
        for (int i = 0; i < N; ++i) g[p][i] += unit[p][i];
      }
      store<N>(dx + at, g[p]);
    }
  }
  constexpr int kSums = kCentred ? 2 : 1;
  float* part = op.parts + static_cast<std::int64_t>(blockIdx.x) * kSums * op.width;
#pragma unroll
  for (int p = 0; p < kPer; ++p) {
    const int at = begin + p * step;
    if (at >= op.width) continue;
#pragma unroll
    for (int i = 0; i < N; ++i) {
      part[at + i] = d_weight[p][i];
      if (kCentred) part[op.width + at + i] = d_bias[p][i];
    }
  }
}

/// The width of a row that the backward kernel can hold, in elements.
inline constexpr int kNormPieces = 4;

template <bool kCentred, class T>
void launch_norm_backward(CudaStream& stream, NormBackward<T> op, float* d_weight, float* d_bias) {
  if (op.rows == 0) return;
  const bool wide = on_sixteen({op.dx, op.dy, op.x, op.weight}) && op.width * sizeof(T) % 16 == 0;
  with_lanes<T>(wide, [&](auto lanes) {
    constexpr int kLanes = decltype(lanes)::value;
    const int pieces = static_cast<int>(divide_up(op.width, kLanes));
    const int per = pieces <= 1024 ? 1 : kNormPieces;
    const int threads = static_cast<int>(divide_up(divide_up(pieces, per), kWarp)) * kWarp;
    assert(threads <= kNormMost);
    const auto at_once = stream.multiprocessors() * std::max(1, 2 * kNormMost / threads / 2);
    const int blocks = static_cast<int>(std::min<std::int64_t>(op.rows, at_once));
    constexpr int kSums = kCentred ? 2 : 1;
    const std::int64_t stride = std::int64_t{kSums} * op.width;
    op.parts = static_cast<float*>(stream.scratch(static_cast<std::size_t>(blocks * stride) * sizeof(float)));
    if (per == 1) {
      norm_backward<kLanes, 1, kCentred><<<blocks, threads, 0, stream.handle()>>>(op);
    } else {
      norm_backward<kLanes, kNormPieces, kCentred><<<blocks, threads, 0, stream.handle()>>>(op);
    }
    check_launch("a norm's gradient");
    launch_finish(stream, d_weight, op.parts, blocks, stride, op.width);
    if (kCentred) launch_finish(stream, d_bias, op.parts + op.width, blocks, stride, op.width);
  });
}

}  // namespace trireme::cuda
