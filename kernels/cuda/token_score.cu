// SPDX-License-Identifier: Apache-2.0
// Log-likelihood of targets and the best token of each row, from its logits or from the stats of its parts.
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/softmax_row.cuh"

namespace trireme::cuda {
namespace {

constexpr int kThreads = 128;       // a row each
constexpr int kScoreThreads = 512;  // for a row

__global__ void score_parts(float* log_prob, std::int32_t* best, const float* parts, const std::int32_t* targets,
                            int count, std::int64_t rows) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (row >= rows) return;
  const JoinedRow joined = join_parts(parts + row * 4, count, rows * 4);
  best[row] = joined.best;
  log_prob[row] = targets[row] < 0 ? 0.0F : joined.target - joined.high - logf(joined.total);
}

template <class T>
__global__ void __launch_bounds__(kScoreThreads) score_rows(float* log_prob, std::int32_t* best, const T* logits,
                                                            const std::int32_t* targets, int width, int vocabulary) {
  const std::int64_t row = blockIdx.x;
  const T* x = logits + row * width;
  const RowStats found = row_stats<true>(x, vocabulary, nullptr, 0);
  if (threadIdx.x != 0) return;
  const std::int32_t target = targets[row];
  best[row] = found.best;
  log_prob[row] = target < 0 ? 0.0F : to_float(x[target]) - found.high - logf(found.total);
}

}  // namespace

void token_score(CudaStream& stream, const TokenScore& op) {
  const std::int64_t rows = op.log_prob.elements();
  assert(op.best.elements() == rows && op.targets.elements() == rows);
  if (rows == 0) return;
  auto* log_prob = data_of<float>(op.log_prob);
  auto* best = data_of<std::int32_t>(op.best);
  const auto* targets = data_of<const std::int32_t>(op.targets);
  if (op.parts) {
    assert(op.parts.shape[1] == rows && op.parts.shape[2] == 4);
    score_parts<<<blocks_for(rows, kThreads), kThreads, 0, stream.handle()>>>(
        log_prob, best, data_of<const float>(op.parts), targets, static_cast<int>(op.parts.shape[0]), rows);
  } else {
    assert(op.vocabulary > 0 && op.vocabulary <= op.logits.shape[1]);
    with_dtype(op.logits.dtype, [&](auto value) {
      using T = decltype(value);
      score_rows<<<static_cast<unsigned>(rows), kScoreThreads, 0, stream.handle()>>>(
          log_prob, best, data_of<const T>(op.logits), targets, static_cast<int>(op.logits.shape[1]),
          static_cast<int>(op.vocabulary));
    });
  }
  check_launch("token_score");
}

}  // namespace trireme::cuda
