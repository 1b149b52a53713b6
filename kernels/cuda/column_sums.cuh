// SPDX-License-Identifier: Apache-2.0
// Sums down columns in a fixed order, in two stages: partial sums of row ranges, then these in their order.
#pragma once

#include "kernels/cuda/lanes.cuh"

namespace trireme::cuda {

inline constexpr int kFinishColumns = 32;
inline constexpr int kFinishSlices = 32;

/// out[c] += sum over r of parts[r, c]; slices of the parts are summed each by a row of threads, then added in order.
__global__ inline void finish_column_sums(float* out, const float* parts, int count, std::int64_t stride,
                                          std::int64_t columns) {
  __shared__ float sums[kFinishSlices][kFinishColumns];
  const std::int64_t column = static_cast<std::int64_t>(blockIdx.x) * kFinishColumns + threadIdx.x;
  const int per_slice = (count + kFinishSlices - 1) / kFinishSlices;
  const int begin = static_cast<int>(threadIdx.y) * per_slice;
  const int end = min(count, begin + per_slice);
  float sum = 0.0F;
  if (column < columns) {
#pragma unroll 8
    for (int part = begin; part < end; ++part) sum += parts[part * stride + column];
  }
  sums[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || column >= columns) return;
#pragma unroll
  for (int slice = 1; slice < kFinishSlices; ++slice) sum += sums[slice][threadIdx.x];
  out[column] += sum;
}

inline void launch_finish(CudaStream& stream, float* out, const float* parts, int count, std::int64_t stride,
                          std::int64_t columns) {
  finish_column_sums<<<blocks_for(columns, kFinishColumns), dim3(kFinishColumns, kFinishSlices), 0, stream.handle()>>>(
      out, parts, count, stride, columns);
  check_launch("column sums");
}

inline constexpr int kSumColumns = 32;
inline constexpr int kSumRows = 8;
inline constexpr int kBlocksTogether = 4;            // on a multiprocessor
inline constexpr std::int64_t kColumnBlocks = 1056;  // in all, about: two for each that 132 multiprocessors can take

/// Each block sums its rows of 32 N columns; parts [gridDim.y, columns]. source.load(at) reads N elements of a row,
/// source.take(values, loaded, at) says what they are to add; all loads
/// of Source::kRows rows come before what is done with them.
template <int N, class Source>
__global__ void __launch_bounds__(kSumColumns* kSumRows, kBlocksTogether)
    column_parts(float* parts, Source source, std::int64_t rows, std::int64_t columns, std::int64_t per_block) {
  __shared__ float shared[kSumRows][kSumColumns * N];
  const std::int64_t column = (static_cast<std::int64_t>(blockIdx.x) * kSumColumns + threadIdx.x) * N;
  const std::int64_t end = min(rows, (static_cast<std::int64_t>(blockIdx.y) + 1) * per_block);
  const std::int64_t begin = static_cast<std::int64_t>(blockIdx.y) * per_block + threadIdx.y;
  float sum[N] = {};
  for (std::int64_t row = begin; column < columns && row < end; row += kSumRows * Source::kRows) {
    typename Source::Loaded loaded[Source::kRows];
#pragma unroll
    for (int i = 0; i < Source::kRows; ++i) {
      const std::int64_t at = row + i * kSumRows;
      if (at < end) loaded[i] = source.load(at * columns + column);
    }
#pragma unroll
    for (int i = 0; i < Source::kRows; ++i) {
      const std::int64_t at = row + i * kSumRows;
      if (at >= end) break;
      float v[N];
      source.take(v, loaded[i], at * columns + column);
#pragma unroll
      for (int k = 0; k < N; ++k) sum[k] += v[k];
    }
  }
#pragma unroll
  for (int i = 0; i < N; ++i) shared[threadIdx.y][threadIdx.x * N + i] = sum[i];
  __syncthreads();
  const int thread = static_cast<int>(threadIdx.y) * kSumColumns + static_cast<int>(threadIdx.x);
  for (int c = thread; c < kSumColumns * N; c += kSumColumns * kSumRows) {
    const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * kSumColumns * N + c;
    if (at >= columns) continue;
    float total = 0.0F;
    for (int r = 0; r < kSumRows; ++r) total += shared[r][c];
    parts[static_cast<std::int64_t>(blockIdx.y) * columns + at] = total;
  }
}

/// out [columns] += the sums down the columns of what the source makes of [rows, columns], N elements at a time.
template <int N, class Source>
void add_column_sums(CudaStream& stream, const Tensor& out, const Source& source, std::int64_t rows,
                     std::int64_t columns) {
  const std::int64_t across = divide_up(columns, kSumColumns * N);
  const std::int64_t most = divide_up(rows, kSumRows * Source::kRows);
  const std::int64_t per_block = divide_up(rows, std::clamp<std::int64_t>(kColumnBlocks / across, 1, most));
  const std::int64_t down = divide_up(rows, per_block);
  auto* parts = static_cast<float*>(stream.scratch(static_cast<std::size_t>(down * columns) * sizeof(float)));
  const dim3 grid(static_cast<unsigned>(across), static_cast<unsigned>(down));
  column_parts<N><<<grid, dim3(kSumColumns, kSumRows), 0, stream.handle()>>>(parts, source, rows, columns, per_block);
  check_launch("column sums");
  launch_finish(stream, data_of<float>(out), parts, static_cast<int>(down), columns, columns);
}

}  // namespace trireme::cuda
