// SPDX-License-Identifier: Apache-2.0
// Softmax cross-entropy over rows of logits, its gradient in their place.
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/level.h"
#include "kernels/cpu/softmax_row.h"

namespace trireme::cpu::TRIREME_CPU_LEVEL {

void cross_entropy(const CrossEntropy& op, int threads) {
  const std::int64_t rows = op.logits.shape[0];
  const std::int64_t width = op.logits.shape[1];
  const std::int64_t vocabulary = op.vocabulary;
  assert(vocabulary > 0 && vocabulary <= width && op.losses.elements() == rows && op.targets.elements() == rows);
  auto* losses = data_of<float>(op.losses);
  const auto* targets = data_of<std::int32_t>(op.targets);
  with_dtype(op.logits.dtype, [&](auto value) {
    using T = decltype(value);
    T* logits = data_of<T>(op.logits);
#pragma omp parallel for schedule(static) num_threads(threads) if (rows * width > 8192)
    for (std::int64_t row = 0; row < rows; ++row) {
      T* x = logits + row * width;
      const std::int64_t target = targets[row];
      assert(target < vocabulary);
      if (target < 0) {
        losses[row] = 0.0F;
        if (op.gradient_scale != 0.0F) {
          for (std::int64_t i = 0; i < width; ++i) store(x[i], 0.0F);
        }
        continue;
      }
      const float high = row_maximum(x, vocabulary);
      const float total = exponential_sum(x, vocabulary, high);
      const float score = to_float(x[target]) - high;
      losses[row] = __builtin_logf(total) - score;
      if (op.gradient_scale == 0.0F) continue;
      const float factor = op.gradient_scale / total;
#pragma omp simd
      for (std::int64_t i = 0; i < vocabulary; ++i) store(x[i], exponential(to_float(x[i]) - high) * factor);
      store(x[target], exponential(score) * factor - op.gradient_scale);
      for (std::int64_t i = vocabulary; i < width; ++i) store(x[i], 0.0F);
    }
  });
}

}  // namespace trireme::cpu::TRIREME_CPU_LEVEL
