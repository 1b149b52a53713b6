// SPDX-License-Identifier: Apache-2.0
// Sums down the columns of a matrix: a thread owns columns, so that the order does not depend on the threads.
#pragma once

#include "kernels/cpu/lanes.h"

namespace trireme::cpu::TRIREME_CPU_LEVEL {

inline constexpr std::int64_t kColumnBlock = 64;

/// out[s][c] += sum over rows of term s, for kSums sums at once. term(row, column, part, c) adds to part[s][c]. Rows
/// are summed in blocks of 32, so that rounding grows with rows/32 + 32.
template <int kSums, class Term>
TRIREME_ALWAYS_INLINE void add_column_sums(float* const (&out)[kSums], std::int64_t rows, std::int64_t columns,
                                           int threads, const Term& term) {
  constexpr std::int64_t kRowBlock = 32;
  const std::int64_t blocks = divide_up(columns, kColumnBlock);
#pragma omp parallel for schedule(static) num_threads(threads) if (rows * columns > 8192)
  for (std::int64_t block = 0; block < blocks; ++block) {
    const std::int64_t first = block * kColumnBlock;
    const std::int64_t width = smaller(kColumnBlock, columns - first);
    float total[kSums][kColumnBlock] = {};
    for (std::int64_t begin = 0; begin < rows; begin += kRowBlock) {
      float part[kSums][kColumnBlock] = {};
      const std::int64_t end = smaller(rows, begin + kRowBlock);
      for (std::int64_t row = begin; row < end; ++row) {
        if (width == kColumnBlock) {
#pragma omp simd
          for (std::int64_t c = 0; c < kColumnBlock; ++c) term(row, first + c, part, c);
        } else {
          for (std::int64_t c = 0; c < width; ++c) term(row, first + c, part, c);
        }
      }
      for (int s = 0; s < kSums; ++s) {
        for (std::int64_t c = 0; c < kColumnBlock; ++c) total[s][c] += part[s][c];
      }
    }
    for (int s = 0; s < kSums; ++s) {
      for (std::int64_t c = 0; c < width; ++c) out[s][first + c] += total[s][c];
    }
  }
}

}  // namespace trireme::cpu::TRIREME_CPU_LEVEL
