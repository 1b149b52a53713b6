// SPDX-License-Identifier: Apache-2.0
// What one rank's columns add to the softmax of rows that are cut over ranks.
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/softmax_row.cuh"

namespace trireme::cuda {
namespace {

constexpr int kPartThreads = 512;

template <class T>
__global__ void __launch_bounds__(kPartThreads) part_kernel(float* stats, const T* logits, const std::int32_t* targets,
                                                            int width, int vocabulary, std::int64_t first_column) {
  const std::int64_t row = blockIdx.x;
  const T* x = logits + row * width;
  const RowStats found = row_stats<true>(x, vocabulary, nullptr, 0);
  if (threadIdx.x != 0) return;
  const std::int64_t target = targets[row] - first_column;
  float* out = stats + row * 4;
  out[0] = found.high;
  out[1] = found.total;
  out[2] = target >= 0 && target < vocabulary ? to_float(x[target]) : -INFINITY;
  out[3] = __int_as_float(vocabulary > 0 ? static_cast<int>(first_column) + found.best : -1);
}

}  // namespace

void softmax_part(CudaStream& stream, const SoftmaxPart& op) {
  const std::int64_t rows = op.logits.shape[0];
  assert(op.vocabulary >= 0 && op.vocabulary <= op.logits.shape[1] && op.stats.elements() == rows * 4);
  if (rows == 0) return;
  with_dtype(op.logits.dtype, [&](auto value) {
    using T = decltype(value);
    part_kernel<<<static_cast<unsigned>(rows), kPartThreads, 0, stream.handle()>>>(
        data_of<float>(op.stats), data_of<const T>(op.logits), data_of<const std::int32_t>(op.targets),
        static_cast<int>(op.logits.shape[1]), static_cast<int>(op.vocabulary), op.first_column);
  });
  check_launch("softmax_part");
}

}  // namespace trireme::cuda
