// SPDX-License-Identifier: Apache-2.0
// What one rank's columns add to the softmax of rows that are cut over ranks.
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/level.h"
#include "kernels/cpu/softmax_row.h"

namespace trireme::cpu::TRIREME_CPU_LEVEL {

void softmax_part(const SoftmaxPart& op, int threads) {
  const std::int64_t rows = op.logits.shape[0];
  const std::int64_t width = op.logits.shape[1];
  const std::int64_t vocabulary = op.vocabulary;
  assert(vocabulary >= 0 && vocabulary <= width && op.stats.elements() == rows * 4 && op.targets.elements() == rows);
  auto* stats = data_of<float>(op.stats);
  const auto* targets = data_of<std::int32_t>(op.targets);
  with_dtype(op.logits.dtype, [&](auto value) {
    using T = decltype(value);
    const T* logits = data_of<T>(op.logits);
#pragma omp parallel for schedule(static) num_threads(threads) if (rows * width > 8192)
    for (std::int64_t row = 0; row < rows; ++row) {
      const T* x = logits + row * width;
      const float high = row_maximum(x, vocabulary);
      std::int64_t best = 0;
      while (best < vocabulary - 1 && to_float(x[best]) != high) ++best;
      const std::int64_t target = targets[row] - op.first_column;
      float* out = stats + row * 4;
      out[0] = high;
      // Logits that are all -inf add nothing to a row that has others: -inf - -inf would not be a number.
      out[1] = exponential_sum(x, vocabulary, high == -__builtin_inff() ? 0.0F : high);
      out[2] = target >= 0 && target < vocabulary ? to_float(x[target]) : -__builtin_inff();
      out[3] = __builtin_bit_cast(float, vocabulary > 0 ? static_cast<std::int32_t>(op.first_column + best) : -1);
    }
  });
}

}  // namespace trireme::cpu::TRIREME_CPU_LEVEL
