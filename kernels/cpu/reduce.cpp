// SPDX-License-Identifier: Apache-2.0
// Sums in a fixed order: lanes within blocks in fp32, blocks within ranges and ranges in double.
#include "kernels/cpu/column_sums.h"
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/level.h"

namespace trireme::cpu::TRIREME_CPU_LEVEL {
namespace {

constexpr std::int64_t kBlock = 1024;
constexpr std::int64_t kRanges = 64;  // whatever the number of threads, so that the bits do not depend on it

template <class Term>
TRIREME_ALWAYS_INLINE void add_terms(const Tensor& out, const Tensor& x, int threads, const Term& term) {
  const std::int64_t n = x.elements();
  const auto* values = data_of<float>(x);
  const std::int64_t range = divide_up(divide_up(n, kRanges), kBlock) * kBlock;
  double sums[kRanges] = {};
#pragma omp parallel for schedule(static) num_threads(threads) if (n > 16384)
  for (std::int64_t r = 0; r < kRanges; ++r) {
    const std::int64_t range_end = smaller(n, (r + 1) * range);
    for (std::int64_t begin = r * range; begin < range_end; begin += kBlock) {
      const std::int64_t end = smaller(range_end, begin + kBlock);
      float part = 0.0F;
#pragma omp simd reduction(+ : part)
      for (std::int64_t i = begin; i < end; ++i) part += term(values[i]);
      sums[r] += static_cast<double>(part);
    }
  }
  double total = 0.0;
  for (const double part : sums) total += part;
  float& result = data_of<float>(out)[0];
  result = static_cast<float>(static_cast<double>(result) + total);
}

}  // namespace

void sum(const Sum& op, int threads) {
  add_terms(op.out, op.x, threads, [](float v) { return v; });
}

void squared_norm(const SquaredNorm& op, int threads) {
  add_terms(op.out, op.x, threads, [](float v) { return v * v; });
}

void column_sum(const ColumnSum& op, int threads) {
  const std::int64_t rows = op.x.shape[0];
  const std::int64_t columns = op.x.shape[1];
  assert(op.out.elements() == columns);
  with_dtype(op.x.dtype, [&](auto value) {
    using T = decltype(value);
    const T* x = data_of<T>(op.x);
    float* const out[1] = {data_of<float>(op.out)};
    add_column_sums(out, rows, columns, threads,
                    [=](std::int64_t row, std::int64_t column, float(&part)[1][kColumnBlock], std::int64_t c) {
                      part[0][c] += to_float(x[row * columns + column]);
                    });
  });
}

}  // namespace trireme::cpu::TRIREME_CPU_LEVEL
