// SPDX-License-Identifier: Apache-2.0
// Small matrix products in registers: what attention's tiles are made of.
#pragma once

#include "kernels/cpu/lanes.h"

namespace trireme::cpu::TRIREME_CPU_LEVEL {

// A block of kBlockRows x kBlockVectors accumulators fills about half of the vector registers.
inline constexpr int kBlockRows = 4;
#if defined(__AVX512F__)
inline constexpr int kBlockVectors = 4;
#else
inline constexpr int kBlockVectors = 2;
#endif

/// A matrix of floats in memory: element (i, j) at data[i * row + j * column].
struct Strided {
  const float* data;
  std::int64_t row;
  std::int64_t column;
};

TRIREME_ALWAYS_INLINE Vector load(const float* at) { return *reinterpret_cast<const UnalignedVector*>(at); }
TRIREME_ALWAYS_INLINE void store(float* at, Vector value) { *reinterpret_cast<UnalignedVector*>(at) = value; }

template <int kRows, int kVectors>
TRIREME_ALWAYS_INLINE void product_block(float* c, std::int64_t c_row, const Strided& a, const float* b,
                                         std::int64_t b_row, std::int64_t inner, bool accumulate) {
  Vector sum[kRows][kVectors];
  for (int i = 0; i < kRows; ++i) {
    for (int v = 0; v < kVectors; ++v) sum[i][v] = Vector{};
  }
  for (std::int64_t k = 0; k < inner; ++k) {
    Vector row[kVectors];
    for (int v = 0; v < kVectors; ++v) row[v] = load(b + k * b_row + v * kLanes);
    for (int i = 0; i < kRows; ++i) {
      const float factor = a.data[i * a.row + k * a.column];
      for (int v = 0; v < kVectors; ++v) sum[i][v] += factor * row[v];
    }
  }
  for (int i = 0; i < kRows; ++i) {
    for (int v = 0; v < kVectors; ++v) {
      float* at = c + i * c_row + v * kLanes;
      store(at, accumulate ? load(at) + sum[i][v] : sum[i][v]);
    }
  }
}

template <int kVectors>
TRIREME_ALWAYS_INLINE void product_columns(float* c, std::int64_t c_row, const Strided& a, const float* b,
                                           std::int64_t b_row, std::int64_t rows, std::int64_t inner, bool accumulate) {
  std::int64_t i = 0;
  for (; i + kBlockRows <= rows; i += kBlockRows) {
    const Strided part{a.data + i * a.row, a.row, a.column};
    product_block<kBlockRows, kVectors>(c + i * c_row, c_row, part, b, b_row, inner, accumulate);
  }
  for (; i < rows; ++i) {
    const Strided part{a.data + i * a.row, a.row, a.column};
    product_block<1, kVectors>(c + i * c_row, c_row, part, b, b_row, inner, accumulate);
  }
}

/// c [rows, columns] (+)= a [rows, inner] * b [inner, columns]; columns is a multiple of kLanes.
[[gnu::noinline, maybe_unused]] static void tile_product(float* c, std::int64_t c_row, const Strided& a, const float* b,
                                                         std::int64_t b_row, std::int64_t rows, std::int64_t inner,
                                                         std::int64_t columns, bool accumulate) {
  std::int64_t j = 0;
  for (; j + kBlockVectors * kLanes <= columns; j += kBlockVectors * kLanes) {
    product_columns<kBlockVectors>(c + j, c_row, a, b + j, b_row, rows, inner, accumulate);
  }
  for (; j < columns; j += kLanes) product_columns<1>(c + j, c_row, a, b + j, b_row, rows, inner, accumulate);
}

}  // namespace trireme::cpu::TRIREME_CPU_LEVEL
