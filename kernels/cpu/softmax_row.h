// SPDX-License-Identifier: Apache-2.0
// Maximum and sum of exponentials of a row: what cross-entropy and token scores share.
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

}  // namespace trireme::cpu::TRIREME_CPU_LEVEL
