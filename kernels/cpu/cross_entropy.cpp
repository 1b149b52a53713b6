// SPDX-License-Identifier: Apache-2.0
// Softmax cross-entropy over rows of logits, or over this rank's columns of them, its gradient in their place.
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/level.h"
#include "kernels/cpu/softmax_row.h"

namespace trireme::cpu::TRIREME_CPU_LEVEL {

void cross_entropy(const CrossEntropy& op, int threads) {
  const std::int64_t rows = op.logits.shape[0];
  const std::int64_t width = op.logits.shape[1];
  const std::int64_t vocabulary = op.vocabulary;
  assert(vocabulary >= 0 && vocabulary <= width && op.losses.elements() == rows && op.targets.elements() == rows);
  assert(op.parts ? op.parts.shape[1] == rows && op.parts.shape[2] == 4 : vocabulary > 0 && op.first_column == 0);
  const auto* parts = data_of<float>(op.parts);
  const std::int64_t count = op.parts ? op.parts.shape[0] : 0;
  auto* losses = data_of<float>(op.losses);
  const auto* targets = data_of<std::int32_t>(op.targets);
  with_dtype(op.logits.dtype, [&](auto value) {
    using T = decltype(value);
    T* logits = data_of<T>(op.logits);
#pragma omp parallel for schedule(static) num_threads(threads) if (rows * width > 8192)
    for (std::int64_t row = 0; row < rows; ++row) {
      T* x = logits + row * width;
      const std::int64_t target = targets[row];
      assert(op.parts || target < vocabulary);
      if (target < 0) {
        losses[row] = 0.0F;
        if (op.gradient_scale != 0.0F) {
          for (std::int64_t i = 0; i < width; ++i) store(x[i], 0.0F);
        }
        continue;
      }
      float high = 0.0F;
      float total = 0.0F;
      float score = 0.0F;
      if (parts != nullptr) {
        const JoinedRow joined = join_parts(parts + row * 4, count, rows * 4);
        high = joined.high;
        total = joined.total;
        score = joined.target - high;
      } else {
        high = row_maximum(x, vocabulary);
        total = exponential_sum(x, vocabulary, high);
        score = to_float(x[target]) - high;
      }
      losses[row] = __builtin_logf(total) - score;
      if (op.gradient_scale == 0.0F) continue;
      const float factor = op.gradient_scale / total;
#pragma omp simd
      for (std::int64_t i = 0; i < vocabulary; ++i) store(x[i], exponential(to_float(x[i]) - high) * factor);
      const std::int64_t at = target - op.first_column;
      if (at >= 0 && at < vocabulary) store(x[at], exponential(score) * factor - op.gradient_scale);
      for (std::int64_t i = vocabulary; i < width; ++i) store(x[i], 0.0F);
    }
  });
}

}  // namespace trireme::cpu::TRIREME_CPU_LEVEL
