// SPDX-License-Identifier: Apache-2.0
// What the kernels compute with: vectors of the instruction set that the file is compiled for, bf16 conversions, and
// e^x. Everything here is inlined always: no function compiled for one processor may end up serving another.
#pragma once

#include <cstdint>

#include "core/base/tensor.h"

// The name of the instruction set that this file is compiled for; kernels/cpu/CMakeLists.txt sets it.
#ifndef TRIREME_CPU_LEVEL
#define TRIREME_CPU_LEVEL baseline
#endif
#define TRIREME_ALWAYS_INLINE [[gnu::always_inline]] static inline

namespace trireme::cpu::TRIREME_CPU_LEVEL {

#if defined(__AVX512F__)
inline constexpr std::int64_t kLanes = 16;
#elif defined(__AVX2__)
inline constexpr std::int64_t kLanes = 8;
#else
inline constexpr std::int64_t kLanes = 4;
#endif

typedef float Vector __attribute__((vector_size(kLanes * 4)));
typedef float UnalignedVector __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));
typedef std::int32_t IntVector __attribute__((vector_size(kLanes * 4)));

TRIREME_ALWAYS_INLINE std::int64_t smaller(std::int64_t a, std::int64_t b) { return a < b ? a : b; }
TRIREME_ALWAYS_INLINE std::int64_t larger(std::int64_t a, std::int64_t b) { return a > b ? a : b; }
TRIREME_ALWAYS_INLINE std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

TRIREME_ALWAYS_INLINE float to_float(float x) { return x; }
TRIREME_ALWAYS_INLINE float to_float(Bf16 x) {
  return __builtin_bit_cast(float, static_cast<std::uint32_t>(x.bits) << 16U);
}

TRIREME_ALWAYS_INLINE void store(float& at, float value) { at = value; }
/// As Bf16's constructor: to nearest even, NaN stays NaN.
TRIREME_ALWAYS_INLINE void store(Bf16& at, float value) {
  const auto word = __builtin_bit_cast(std::uint32_t, value);
  const std::uint32_t rounded = (word + 0x7fffU + ((word >> 16U) & 1U)) >> 16U;
  const std::uint32_t quiet = (word >> 16U) | 0x40U;
  at.bits = static_cast<std::uint16_t>((word & 0x7fffffffU) > 0x7f800000U ? quiet : rounded);
}

/// e^x with a relative error below 2.5e-7; 0 below -87.33 (the result would be subnormal), infinity above 88.72.
/// Range reduction by powers of two, then the polynomial of Cephes' expf on [-ln 2 / 2, ln 2 / 2].
TRIREME_ALWAYS_INLINE float exponential(float x) {
  constexpr float kShift = 12582912.0F;  // 1.5 * 2^23: adding it rounds to an integer held in the low bits
  const float low = x < -87.33F ? -87.33F : x;
  const float clamped = low > 88.72F ? 88.72F : low;
  const float shifted = clamped * 1.44269504F + kShift;
  const float n = shifted - kShift;
  const float r = (clamped - n * 0.693359375F) + n * 2.12194440e-4F;
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * (r * r) + r + 1.0F;
  // Two factors of 2^(n/2): one alone would overflow at n = 128.
  const std::int32_t exponent = __builtin_bit_cast(std::int32_t, shifted) - 0x4B400000;
  const std::int32_t half = exponent >> 1;
  const auto first = __builtin_bit_cast(float, (half + 127) << 23);
  const auto second = __builtin_bit_cast(float, (exponent - half + 127) << 23);
  float y = (p * first) * second;
  y = x < -87.33F ? 0.0F : y;
  y = x > 88.72F ? __builtin_inff() : y;
  return x != x ? x : y;
}

/// 1 / (1 + e^-x).
TRIREME_ALWAYS_INLINE float sigmoid(float x) { return 1.0F / (1.0F + exponential(-x)); }

/// work(begin, end) over chunks of [0, n) that do not depend on the number of threads.
template <class F>
TRIREME_ALWAYS_INLINE void by_chunks(std::int64_t n, int threads, const F& work) {
  constexpr std::int64_t kChunk = 8192;
  const std::int64_t chunks = divide_up(n, kChunk);
#pragma omp parallel for schedule(static) num_threads(threads) if (chunks > 1)
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) work(chunk * kChunk, smaller(n, (chunk + 1) * kChunk));
}

/// Calls work with a value of the tensor's element type.
template <class F>
TRIREME_ALWAYS_INLINE void with_dtype(Dtype dtype, const F& work) {
  assert(dtype == Dtype::f32 || dtype == Dtype::bf16);
  if (dtype == Dtype::bf16) {
    work(Bf16());
  } else {
    work(0.0F);
  }
}
/// The tensor's data under its element type.
template <class T>
TRIREME_ALWAYS_INLINE T* data_of(const Tensor& tensor) {
  assert(tensor.data == nullptr || tensor.dtype == kDtypeOf<T>);
  return static_cast<T*>(tensor.data);
}

}  // namespace trireme::cpu::TRIREME_CPU_LEVEL
