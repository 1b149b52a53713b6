// SPDX-License-Identifier: Apache-2.0
// What one rank's columns add to the softmax of rows that are cut over ranks.
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/softmax_row.cuh"

namespace trireme::cuda {
namespace {

template <class T>
__global__ void __launch_bounds__(kRowThreads) part_kernel(float* stats, const T* logits, const std::int32_t* targets,
                                                           int width, int vocabulary, std::int64_t first_column) {
  __shared__ float shared[kWarp];
  __shared__ int indices[kWarp];
  const std::int64_t row = blockIdx.x;
  const T* x = logits + row * width;
  const float high = row_maximum(x, vocabulary, shared);
  const int best = first_of(x, vocabulary, high, indices);
  // Logits that are all -inf add nothing to a row that has others: -inf - -inf would not be a number.
  const float total = exponential_sum(x, vocabulary, high == -INFINITY ? 0.0F : high, shared);
  if (threadIdx.x != 0) return;
  const std::int64_t target = targets[row] - first_column;
  float* out = stats + row * 4;
  out[0] = high;
  out[1] = total;
  out[2] = target >= 0 && target < vocabulary ? to_float(x[target]) : -INFINITY;
  out[3] = __int_as_float(vocabulary > 0 ? static_cast<int>(first_column) + best : -1);
}

}  // namespace

void softmax_part(CudaStream& stream, const SoftmaxPart& op) {
  const std::int64_t rows = op.logits.shape[0];
  assert(op.vocabulary >= 0 && op.vocabulary <= op.logits.shape[1] && op.stats.elements() == rows * 4);
  if (rows == 0) return;
  with_dtype(op.logits.dtype, [&](auto value) {
    using T = decltype(value);
    part_kernel<<<static_cast<unsigned>(rows), kRowThreads, 0, stream.handle()>>>(
        data_of<float>(op.stats), data_of<const T>(op.logits), data_of<const std::int32_t>(op.targets),
        static_cast<int>(op.logits.shape[1]), static_cast<int>(op.vocabulary), op.first_column);
  });
  check_launch("softmax_part");
}

}  // namespace trireme::cuda
