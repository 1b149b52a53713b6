// SPDX-License-Identifier: Apache-2.0
// LayerNorm and RMSNorm are one kernel each way: with a mean and a bias, or without. This is the way forward.
#pragma once

#include "kernels/cuda/pieces.cuh"

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
inline constexpr int kNormThreads = 512;  // at most, where a block has a row

/// A warp for each row, or a block. Each thread holds kPer pieces of the row, or fewer.
template <int kPer, bool kBlock, bool kCentred, class T>
__global__ void __launch_bounds__(kBlock ? kNormThreads : kNormWarps* kWarp, !kBlock    ? 8
                                                                             : kCentred ? 1
                                                                                        : 2)
    norm_forward(const NormForward<T> op) {
  constexpr int kLanes = kPiece<T>;
  __shared__ float shared[kWarp];
  const int team = kBlock ? static_cast<int>(blockDim.x) : kWarp;
  const int lane = static_cast<int>(threadIdx.x) % team;
  const std::int64_t row =
      kBlock ? std::int64_t{blockIdx.x} : std::int64_t{blockIdx.x} * kNormWarps + threadIdx.x / kWarp;
  if (row >= op.rows) return;  // whole teams
  const auto sum_of = [&](float value) { return kBlock ? block_sum(value, shared) : warp_sum(value); };
  const int pieces = op.width / kLanes;
  const auto* x = reinterpret_cast<const uint4*>(op.x + row * op.width);
  const float inverse = 1.0F / static_cast<float>(op.width);
  uint4 held[kPer];
#pragma unroll
  for (int p = 0; p < kPer; ++p) held[p] = p * team + lane < pieces ? __ldcs(x + p * team + lane) : uint4{};
  float v[kLanes];
  float mean = 0.0F;
  if constexpr (kCentred) {
#pragma unroll
    for (int p = 0; p < kPer; ++p) {
      unpack(v, held[p]);
#pragma unroll
      for (int i = 0; i < kLanes; ++i) mean += v[i];
    }
    mean = sum_of(mean) * inverse;
  }
  float squares = 0.0F;
#pragma unroll
  for (int p = 0; p < kPer; ++p) {
    if (p * team + lane >= pieces) continue;
    forget(held[p]);
    unpack(v, held[p]);
#pragma unroll
    for (int i = 0; i < kLanes; ++i) squares += (v[i] - mean) * (v[i] - mean);
  }
  const float rstd = 1.0F / sqrtf(sum_of(squares) * inverse + op.eps);
#pragma unroll
  for (int p = 0; p < kPer; ++p) {
    const int at = p * team + lane;
    if (at >= pieces) continue;
    forget(held[p]);
    unpack(v, held[p]);
    float w[kLanes];
    unpack(w, reinterpret_cast<const uint4*>(op.weight)[at]);
#pragma unroll
    for (int i = 0; i < kLanes; ++i) v[i] = (v[i] - mean) * rstd * w[i];
    if constexpr (kCentred) {
      unpack(w, reinterpret_cast<const uint4*>(op.bias)[at]);
#pragma unroll
      for (int i = 0; i < kLanes; ++i) v[i] += w[i];
    }
    reinterpret_cast<uint4*>(op.y + row * op.width)[at] = pack(v);
  }
  if (lane == 0) {
    op.rstd[row] = rstd;
    if constexpr (kCentred) op.mean[row] = mean;
  }
}

/// A warp for each row of any width, element by element; the row is read again for each of the passes.
template <bool kCentred, class T>
__global__ void __launch_bounds__(kNormWarps* kWarp) norm_forward_any(const NormForward<T> op) {
  const std::int64_t row = std::int64_t{blockIdx.x} * kNormWarps + threadIdx.x / kWarp;
  if (row >= op.rows) return;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const T* x = op.x + row * op.width;
  T* y = op.y + row * op.width;
  const float inverse = 1.0F / static_cast<float>(op.width);
  float mean = 0.0F;
  if constexpr (kCentred) {
    for (int i = lane; i < op.width; i += kWarp) mean += to_float(x[i]);
    mean = warp_sum(mean) * inverse;
  }
  float squares = 0.0F;
  for (int i = lane; i < op.width; i += kWarp) squares += (to_float(x[i]) - mean) * (to_float(x[i]) - mean);
  const float rstd = 1.0F / sqrtf(warp_sum(squares) * inverse + op.eps);
  for (int i = lane; i < op.width; i += kWarp) {
    float v = (to_float(x[i]) - mean) * rstd * to_float(op.weight[i]);
    if constexpr (kCentred) v += to_float(op.bias[i]);
    store(y[i], v);
  }
  if (lane == 0) {
    op.rstd[row] = rstd;
    if constexpr (kCentred) op.mean[row] = mean;
  }
}

template <bool kCentred, class T>
void launch_norm_forward(CudaStream& stream, const NormForward<T>& op) {
  if (op.rows == 0) return;
  const bool wide = on_sixteen({op.y, op.x, op.weight, op.bias}) && op.width % kPiece<T> == 0;
  const int pieces = op.width / kPiece<T>;
  const unsigned blocks = blocks_for(op.rows, kNormWarps);
  constexpr int kThreads = kNormWarps * kWarp;
  constexpr int kMost = 8;  // pieces that a thread holds
  if (!wide || pieces > kMost * kNormThreads) {
    norm_forward_any<kCentred><<<blocks, kThreads, 0, stream.handle()>>>(op);
  } else if (pieces > kMost * kWarp) {
    const auto threads = blocks_for(pieces, kMost * kWarp) * kWarp;
    norm_forward<kMost, true, kCentred><<<static_cast<unsigned>(op.rows), threads, 0, stream.handle()>>>(op);
  } else if (pieces > 6 * kWarp) {
    norm_forward<kMost, false, kCentred><<<blocks, kThreads, 0, stream.handle()>>>(op);
  } else if (pieces > 4 * kWarp) {
    norm_forward<6, false, kCentred><<<blocks, kThreads, 0, stream.handle()>>>(op);
  } else if (pieces > 3 * kWarp) {
    norm_forward<4, false, kCentred><<<blocks, kThreads, 0, stream.handle()>>>(op);
  } else if (pieces > kWarp) {
    norm_forward<3, false, kCentred><<<blocks, kThreads, 0, stream.handle()>>>(op);
  } else {
    norm_forward<1, false, kCentred><<<blocks, kThreads, 0, stream.handle()>>>(op);
  }
  check_launch("a norm");
}

}  // namespace trireme::cuda
