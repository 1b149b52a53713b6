// SPDX-License-Identifier: Apache-2.0
// Log-likelihood of targets and the best token of each row, from its logits or from the stats of its parts.
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/level.h"
#include "kernels/cpu/softmax_row.h"

namespace trireme::cpu::TRIREME_CPU_LEVEL {

namespace {

void score_parts(const TokenScore& op) {
  const std::int64_t count = op.parts.shape[0];
  const std::int64_t rows = op.parts.shape[1];
  assert(op.parts.shape[2] == 4 && op.log_prob.elements() == rows && op.best.elements() == rows);
  assert(op.targets.elements() == rows);
  const auto* parts = data_of<float>(op.parts);
  const auto* targets = data_of<std::int32_t>(op.targets);
  auto* log_prob = data_of<float>(op.log_prob);
  auto* best = data_of<std::int32_t>(op.best);
  for (std::int64_t row = 0; row < rows; ++row) {
    const JoinedRow joined = join_parts(parts + row * 4, count, rows * 4);
    best[row] = joined.best;
    log_prob[row] = targets[row] < 0 ? 0.0F : joined.target - joined.high - __builtin_logf(joined.total);
  }
}

}  // namespace

void token_score(const TokenScore& op, int threads) {
  if (op.parts) {
    score_parts(op);
    return;
  }
  const std::int64_t rows = op.logits.shape[0];
  const std::int64_t width = op.logits.shape[1];
  const std::int64_t vocabulary = op.vocabulary;
  assert(vocabulary > 0 && vocabulary <= width && op.log_prob.elements() == rows && op.best.elements() == rows);
  auto* log_prob = data_of<float>(op.log_prob);
  auto* best = data_of<std::int32_t>(op.best);
  const auto* targets = data_of<std::int32_t>(op.targets);
  with_dtype(op.logits.dtype, [&](auto value) {
    using T = decltype(value);
    const T* logits = data_of<T>(op.logits);
#pragma omp parallel for schedule(static) num_threads(threads) if (rows * width > 8192)
    for (std::int64_t row = 0; row < rows; ++row) {
      const T* x = logits + row * width;
      const float high = row_maximum(x, vocabulary);
      std::int64_t at = 0;
      while (at < vocabulary - 1 && to_float(x[at]) != high) ++at;
      best[row] = static_cast<std::int32_t>(at);
      const std::int64_t target = targets[row];
      assert(target < vocabulary);
      log_prob[row] =
          target < 0 ? 0.0F : to_float(x[target]) - high - __builtin_logf(exponential_sum(x, vocabulary, high));
    }
  });
}

}  // namespace trireme::cpu::TRIREME_CPU_LEVEL
