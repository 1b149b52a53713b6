// SPDX-License-Identifier: Apache-2.0
// Maximum and sum of exponentials of a row, from the row or from its parts: what cross-entropy and token scores share.
#pragma once

#include "kernels/cpu/lanes.h"

namespace trireme::cpu::TRIREME_CPU_LEVEL {

template <class T>
TRIREME_ALWAYS_INLINE float row_maximum(const T* x, std::int64_t n) {
  float high = -__builtin_inff();
#pragma omp simd reduction(max : high)
  for (std::int64_t i = 0; i < n; ++i) {
    const float v = to_float(x[i]);
    high = v > high ? v : high;
  }
  return high;
}

/// Sum of e^(x - high); by blocks, so that rounding grows with the square root of n rather than with n.
template <class T>
TRIREME_ALWAYS_INLINE float exponential_sum(const T* x, std::int64_t n, float high) {
  constexpr std::int64_t kBlock = 1024;
  float total = 0.0F;
  for (std::int64_t begin = 0; begin < n; begin += kBlock) {
    const std::int64_t end = smaller(n, begin + kBlock);
    float part = 0.0F;
#pragma omp simd reduction(+ : part)
    for (std::int64_t i = begin; i < end; ++i) part += exponential(to_float(x[i]) - high);
    total += part;
  }
  return total;
}

/// What is known of a row once the stats that SoftmaxPart wrote for its parts are together.
struct JoinedRow {
  float high;         // the largest logit
  float total;        // sum of e^(logit - high), parts added in their order
  float target;       // the target's logit, -inf where no part has it
  std::int32_t best;  // lowest id of the columns with the largest logit
};

/// `stats` is the row's in the first of `count` parts, `stride` floats apart. Not a number in any part is one in total.
TRIREME_ALWAYS_INLINE JoinedRow join_parts(const float* stats, std::int64_t count, std::int64_t stride) {
  JoinedRow row{-__builtin_inff(), 0.0F, -__builtin_inff(), -1};
  for (std::int64_t part = 0; part < count; ++part) {
    const float* s = stats + part * stride;
    const auto id = __builtin_bit_cast(std::int32_t, s[3]);
    if (id >= 0 && (row.best < 0 || s[0] > row.high || (s[0] == row.high && id < row.best))) row.best = id;
    row.high = s[0] > row.high ? s[0] : row.high;
    row.target = s[2] > row.target ? s[2] : row.target;
  }
  for (std::int64_t part = 0; part < count; ++part) {
    const float* s = stats + part * stride;
    row.total += s[1] * exponential(s[0] - row.high);
  }
  return row;
}

}  // namespace trireme::cpu::TRIREME_CPU_LEVEL
