// SPDX-License-Identifier: Apache-2.0
// Gradients of LayerNorm and RMSNorm: a few blocks walk over all rows and keep the sums for the parameters.
#pragma once

#include "kernels/cuda/pieces.cuh"

namespace trireme::cuda {

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

inline constexpr int kBackwardWarps = 4;      // of a block whose warps have a row each
inline constexpr int kBackwardThreads = 512;  // at most, of a block that has a row; so many stay on a multiprocessor

/// Blocks of warps with a row each that stay on a multiprocessor: the sums of a lane take 16 registers a piece.
constexpr int warp_blocks(int per) { return per == 1 ? 6 : 3; }

/// What a thread has of a row.
template <int kPer>
struct NormRow {
  uint4 x[kPer], dy[kPer];
  float mean, rstd;
};

template <int kPer, bool kCentred, class T>
__device__ inline void load_row(NormRow<kPer>& to, const NormBackward<T>& op, std::int64_t row, int lane, int team) {
  const int pieces = op.width / kPiece<T>;
  const auto* x = reinterpret_cast<const uint4*>(op.x + row * op.width);
  const auto* dy = reinterpret_cast<const uint4*>(op.dy + row * op.width);
#pragma unroll
  for (int p = 0; p < kPer; ++p) {
    if (p * team + lane >= pieces) continue;
    to.x[p] = __ldcs(x + p * team + lane);
    to.dy[p] = __ldcs(dy + p * team + lane);
  }
  to.rstd = op.rstd[row];
  to.mean = kCentred ? op.mean[row] : 0.0F;
}

/// Both sums over a team's threads, the same on all of them. `shared` may be used again after another barrier.
template <bool kBlock>
__device__ inline float2 sums_of(float2 value, float2* shared) {
#pragma unroll
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    value.x += __shfl_xor_sync(kAllLanes, value.x, offset);
    value.y += __shfl_xor_sync(kAllLanes, value.y, offset);
  }
  if constexpr (kBlock) {
    if (threadIdx.x % kWarp == 0) shared[threadIdx.x / kWarp] = value;
    __syncthreads();
    value = shared[0];
    for (int warp = 1; warp < static_cast<int>(blockDim.x) / kWarp; ++warp) {
      value.x += shared[warp].x;
      value.y += shared[warp].y;
    }
  }
  return value;
}

/// The sums that the block's threads keep, those of its warps added in order, become a row of `part`.
template <int kPer, bool kBlock, int kLanes>
__device__ inline void store_part(float* part, const float (&sums)[kPer][kLanes], int pieces, int lane, int team) {
  __shared__ float shared[kBlock ? 1 : kBackwardWarps][kLanes * kWarp];
#pragma unroll
  for (int p = 0; p < kPer; ++p) {
    if constexpr (kBlock) {
      const int at = p * team + lane;
#pragma unroll
      for (int i = 0; i < kLanes; ++i) {
        if (at < pieces) part[at * kLanes + i] = sums[p][i];
      }
    } else {
      __syncthreads();
#pragma unroll
      for (int i = 0; i < kLanes; ++i) shared[threadIdx.x / kWarp][i * kWarp + lane] = sums[p][i];
      __syncthreads();
      for (int c = static_cast<int>(threadIdx.x); c < kLanes * kWarp; c += kBackwardWarps * kWarp) {
        const int from = c % kLanes * kWarp + c / kLanes;
        float sum = shared[0][from];
#pragma unroll
        for (int warp = 1; warp < kBackwardWarps; ++warp) sum += shared[warp][from];
        const int column = p * kWarp * kLanes + c;
        if (column < pieces * kLanes) part[column] = sum;
      }
    }
  }
}

/// A team, a warp or the block, takes every so many rows; a thread keeps kPer pieces of columns, their sums for the
/// parameters' gradients, and where registers allow it reads the next row while it works on one.
template <int kPer, bool kBlock, bool kCentred, class T>
__global__ void __launch_bounds__(kBlock ? kBackwardThreads : kBackwardWarps* kWarp, kBlock ? 1 : warp_blocks(kPer))
    norm_backward(const NormBackward<T> op) {
  constexpr int kLanes = kPiece<T>;
  constexpr bool kAhead = !kBlock || kPer <= 2;
  // Weights stay in registers, and what is added to is read early; otherwise each comes when it is used.
  constexpr bool kHold = kPer <= 2;
  __shared__ float2 shared[2][kWarp];
  const int team = kBlock ? static_cast<int>(blockDim.x) : kWarp;
  const int lane = static_cast<int>(threadIdx.x) % team;
  const int pieces = op.width / kLanes;
  const std::int64_t step = std::int64_t{gridDim.x} * (kBlock ? 1 : kBackwardWarps);
  std::int64_t row =
      kBlock ? std::int64_t{blockIdx.x} : std::int64_t{blockIdx.x} * kBackwardWarps + threadIdx.x / kWarp;
  const auto* weight = reinterpret_cast<const uint4*>(op.weight);
  const float inverse = 1.0F / static_cast<float>(op.width);
  float d_weight[kPer][kLanes] = {};
  float d_bias[kPer][kLanes] = {};
  uint4 w[kPer] = {};
  NormRow<kPer> next = {};  // what is past the end stays 0 and adds nothing
#pragma unroll
  for (int p = 0; p < kPer; ++p) {
    if (kHold && p * team + lane < pieces) w[p] = weight[p * team + lane];
  }
  if (kAhead && row < op.rows) load_row<kPer, kCentred>(next, op, row, lane, team);
  for (int turn = 0; row < op.rows; row += step, turn ^= 1) {
    if (!kAhead) load_row<kPer, kCentred>(next, op, row, lane, team);
    NormRow<kPer> now = next;
    auto* dx = reinterpret_cast<uint4*>(op.dx + row * op.width);
    uint4 old[kPer] = {};
    const auto load_old = [&] {
#pragma unroll
      for (int p = 0; p < kPer; ++p) {
        if (op.accumulate && p * team + lane < pieces) old[p] = dx[p * team + lane];
      }
    };
    if (kHold) load_old();
    if (kAhead && row + step < op.rows) load_row<kPer, kCentred>(next, op, row + step, lane, team);
    float2 sums = {0.0F, 0.0F};
    float unit[kLanes];
    float g[kLanes];
    float v[kLanes];
#pragma unroll
    for (int p = 0; p < kPer; ++p) {
      if (!kHold && p * team + lane < pieces) w[p] = weight[p * team + lane];
      unpack(unit, now.x[p]);
      unpack(g, now.dy[p]);
      unpack(v, w[p]);
#pragma unroll
      for (int i = 0; i < kLanes; ++i) {
        unit[i] = (unit[i] - now.mean) * now.rstd;
        d_weight[p][i] += g[i] * unit[i];
        if (kCentred) d_bias[p][i] += g[i];
        g[i] *= v[i];
        sums.x += g[i] * unit[i];
        if (kCentred) sums.y += g[i];
      }
      forget(now.x[p]);
      forget(now.dy[p]);
      forget(w[p]);
    }
    sums = sums_of<kBlock>(sums, shared[turn]);
    if (kAhead && !kHold) load_old();
    const float along = sums.x * inverse;
    const float total = kCentred ? sums.y * inverse : 0.0F;
#pragma unroll
    for (int p = 0; p < kPer; ++p) {
      const int at = p * team + lane;
      if (at >= pieces) continue;
      if (!kHold) w[p] = weight[at];
      unpack(unit, now.x[p]);
      unpack(g, now.dy[p]);
      unpack(v, w[p]);
#pragma unroll
      for (int i = 0; i < kLanes; ++i) {
        unit[i] = (unit[i] - now.mean) * now.rstd;
        g[i] = (g[i] * v[i] - total - unit[i] * along) * now.rstd;
      }
      if (op.accumulate) {
        unpack(v, kAhead ? old[p] : dx[at]);
#pragma unroll
        for (int i = 0; i < kLanes; ++i) g[i] += v[i];
      }
      dx[at] = pack(g);
    }
  }
  float* part = op.parts + std::int64_t{blockIdx.x} * (kCentred ? 2 : 1) * op.width;
  store_part<kPer, kBlock>(part, d_weight, pieces, lane, team);
  if constexpr (kCentred) store_part<kPer, kBlock>(part + op.width, d_bias, pieces, lane, team);
}

/// As norm_backward for rows of any width, element by element, the sums in memory from the first row on.
template <bool kCentred, class T>
__global__ void __launch_bounds__(kBackwardThreads) norm_backward_any(const NormBackward<T> op) {
  __shared__ float2 shared[2][kWarp];
  const int begin = static_cast<int>(threadIdx.x);
  const int step = static_cast<int>(blockDim.x);
  const float inverse = 1.0F / static_cast<float>(op.width);
  float* d_weight = op.parts + std::int64_t{blockIdx.x} * (kCentred ? 2 : 1) * op.width;
  float* d_bias = d_weight + op.width;  // each column is one thread's throughout
  int turn = 0;
  for (std::int64_t row = blockIdx.x; row < op.rows; row += gridDim.x, turn ^= 1) {
    const T* x = op.x + row * op.width;
    const T* dy = op.dy + row * op.width;
    T* dx = op.dx + row * op.width;
    const float rstd = op.rstd[row];
    const float mean = kCentred ? op.mean[row] : 0.0F;
    const bool first = row == blockIdx.x;
    float2 sums = {0.0F, 0.0F};
    for (int i = begin; i < op.width; i += step) {
      const float g = to_float(dy[i]);
      const float unit = (to_float(x[i]) - mean) * rstd;
      d_weight[i] = (first ? 0.0F : d_weight[i]) + g * unit;
      if (kCentred) d_bias[i] = (first ? 0.0F : d_bias[i]) + g;
      sums.x += g * to_float(op.weight[i]) * unit;
      sums.y += g * to_float(op.weight[i]);
    }
    sums = sums_of<true>(sums, shared[turn]);
    const float along = sums.x * inverse;
    const float total = kCentred ? sums.y * inverse : 0.0F;
    for (int i = begin; i < op.width; i += step) {
      const float unit = (to_float(x[i]) - mean) * rstd;
      const float value = (to_float(dy[i]) * to_float(op.weight[i]) - total - unit * along) * rstd;
      store(dx[i], op.accumulate ? value + to_float(dx[i]) : value);
    }
  }
}

/// Adds the blocks' parts to both gradients, [count, columns] with the columns of d_weight first: a warp takes every
/// 32nd part of 32 columns, and the warps' sums are added in a tree.
__global__ inline void __launch_bounds__(kWarp* kWarp)
    finish_norm_sums(float* d_weight, float* d_bias, const float* parts, int count, int width, int columns) {
  __shared__ float sums[kWarp][kWarp + 1];
  const int column = static_cast<int>(blockIdx.x) * kWarp + static_cast<int>(threadIdx.x);
  float sum = 0.0F;
  if (column < columns) {
#pragma unroll 8
    for (int part = static_cast<int>(threadIdx.y); part < count; part += kWarp) {
      sum += parts[std::int64_t{part} * columns + column];
    }
  }
  sums[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  sum = warp_sum(sums[threadIdx.x][threadIdx.y]);
  const int own = static_cast<int>(blockIdx.x) * kWarp + static_cast<int>(threadIdx.y);
  if (threadIdx.x != 0 || own >= columns) return;
  if (own < width) {
    d_weight[own] += sum;
  } else {
    d_bias[own - width] += sum;
  }
}

template <bool kCentred, class T>
void launch_norm_backward(CudaStream& stream, NormBackward<T> op, float* d_weight, float* d_bias) {
  if (op.rows == 0) return;
  const bool wide = on_sixteen({op.dx, op.dy, op.x, op.weight}) && op.width % kPiece<T> == 0;
  const int pieces = op.width / kPiece<T>;
  const int columns = (kCentred ? 2 : 1) * op.width;
  int blocks = 0;
  /// As many blocks as stay on the GPU at once, or as have rows.
  const auto launch = [&](auto* kernel, std::int64_t per_processor, std::int64_t rows_at_once, int threads) {
    blocks = static_cast<int>(std::min(divide_up(op.rows, rows_at_once),
                                       std::max<std::int64_t>(1, per_processor) * stream.multiprocessors()));
    op.parts = static_cast<float*>(
        stream.scratch(static_cast<std::size_t>(blocks) * static_cast<std::size_t>(columns) * sizeof(float)));
    kernel<<<static_cast<unsigned>(blocks), static_cast<unsigned>(threads), 0, stream.handle()>>>(op);
  };
  const auto by_warp = [&](auto per) {
    launch(norm_backward<decltype(per)::value, false, kCentred, T>, warp_blocks(per), kBackwardWarps,
           kBackwardWarps * kWarp);
  };
  const auto by_block = [&](auto per) {
    const int threads = static_cast<int>(divide_up(pieces, per * kWarp)) * kWarp;
    launch(norm_backward<decltype(per)::value, true, kCentred, T>, kBackwardThreads / threads, 1, threads);
  };
  constexpr int kMost = kCentred ? 3 : 4;  // pieces for which a thread has registers
  if (!wide || pieces > kMost * kBackwardThreads) {
    launch(norm_backward_any<kCentred, T>, 2, 1, kBackwardThreads);
  } else if (pieces > 2 * kBackwardThreads) {
    by_block(std::integral_constant<int, kMost>{});
  } else if (pieces > 3 * kWarp) {
    by_block(std::integral_constant<int, 2>{});
  } else if (pieces > 2 * kWarp) {
    by_warp(std::integral_constant<int, 3>{});
  } else if (pieces > kWarp) {
    by_warp(std::integral_constant<int, 2>{});
  } else {
    by_warp(std::integral_constant<int, 1>{});
  }
  check_launch("a norm's gradient");
  finish_norm_sums<<<blocks_for(columns, kWarp), dim3(kWarp, kWarp), 0, stream.handle()>>>(d_weight, d_bias, op.parts,
                                                                                           blocks, op.width, columns);
  check_launch("sums of a norm's gradient");
}

}  // namespace trireme::cuda
