// SPDX-License-Identifier: Apache-2.0
// The second stage of sums down columns: partial sums of row ranges are added in their order.
#pragma once

#include "kernels/cuda/lanes.cuh"

namespace trireme::cuda {

inline constexpr int kFinishColumns = 32;
inline constexpr int kFinishSlices = 8;

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
    for (int part = begin; part < end; ++part) sum += parts[part * stride + column];
  }
  sums[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || column >= columns) return;
  for (int slice = 1; slice < kFinishSlices; ++slice) sum += sums[slice][threadIdx.x];
  out[column] += sum;
}

inline void launch_finish(CudaStream& stream, float* out, const float* parts, int count, std::int64_t stride,
                          std::int64_t columns) {
  finish_column_sums<<<blocks_for(columns, kFinishColumns), dim3(kFinishColumns, kFinishSlices), 0, stream.handle()>>>(
      out, parts, count, stride, columns);
  check_launch("column sums");
}

}  // namespace trireme::cuda
