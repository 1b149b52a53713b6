// SPDX-License-Identifier: Apache-2.0
// Softmax cross-entropy over rows of logits, or over this rank's columns of them, its gradient in their place.
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/softmax_row.cuh"

namespace trireme::cuda {
namespace {

template <class T>
struct Loss {
  float* losses;
  T* logits;
  const std::int32_t* targets;
  const float* parts;
  int count;  // of parts
  std::int64_t rows;
  int width, vocabulary;
  std::int64_t first_column;
  float gradient_scale;
};

template <class T>
__global__ void __launch_bounds__(kRowThreads) loss_kernel(const Loss<T> op) {
  __shared__ float shared[kWarp];
  const std::int64_t row = blockIdx.x;
  T* x = op.logits + row * op.width;
  const std::int32_t target = op.targets[row];
  if (target < 0) {
    if (threadIdx.x == 0) op.losses[row] = 0.0F;
    if (op.gradient_scale != 0.0F) map_row(x, op.width, [](int, float) { return 0.0F; });
    return;
  }
  float high = 0.0F;
  float total = 0.0F;
  float score = 0.0F;
  if (op.parts != nullptr) {
    const JoinedRow joined = join_parts(op.parts + row * 4, op.count, op.rows * 4);
    high = joined.high;
    total = joined.total;
    score = joined.target - high;
  } else {
    high = row_maximum(x, op.vocabulary, shared);
    total = exponential_sum(x, op.vocabulary, high, shared);
    score = to_float(x[target]) - high;
  }
  if (threadIdx.x == 0) op.losses[row] = logf(total) - score;
  if (op.gradient_scale == 0.0F) return;
  __syncthreads();  // the target's logit has been read by all
  const float factor = op.gradient_scale / total;
  const std::int64_t at = target - op.first_column;
  map_row(x, op.width, [&](int i, float v) {
    if (i >= op.vocabulary) return 0.0F;
    const float p = expf((i == at ? score : v - high)) * factor;
    return i == at ? p - op.gradient_scale : p;
  });
}

}  // namespace

void cross_entropy(CudaStream& stream, const CrossEntropy& op) {
  const std::int64_t rows = op.logits.shape[0];
  assert(op.vocabulary >= 0 && op.vocabulary <= op.logits.shape[1] && op.losses.elements() == rows);
  assert(op.parts ? op.parts.shape[1] == rows && op.parts.shape[2] == 4 : op.vocabulary > 0 && op.first_column == 0);
  if (rows == 0) return;
  with_dtype(op.logits.dtype, [&](auto value) {
    using T = decltype(value);
    loss_kernel<<<static_cast<unsigned>(rows), kRowThreads, 0, stream.handle()>>>(
        Loss<T>{.losses = data_of<float>(op.losses),
                .logits = data_of<T>(op.logits),
                .targets = data_of<const std::int32_t>(op.targets),
                .parts = data_of<const float>(op.parts),
                .count = op.parts ? static_cast<int>(op.parts.shape[0]) : 0,
                .rows = rows,
                .width = static_cast<int>(op.logits.shape[1]),
                .vocabulary = static_cast<int>(op.vocabulary),
                .first_column = op.first_column,
                .gradient_scale = op.gradient_scale});
  });
  check_launch("cross_entropy");
}

}  // namespace trireme::cuda
