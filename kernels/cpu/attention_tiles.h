// SPDX-License-Identifier: Apache-2.0
// What attention's forward and backward share: the layout of packed heads, and tiles in fp32.
#pragma once

#include "core/base/ops.h"
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/tile_product.h"

namespace trireme::cpu::TRIREME_CPU_LEVEL {

inline constexpr std::int64_t kTile = 64;  // queries of a tile, and keys

/// Sizes of one call; scores are kept transposed, [keys, queries], so that queries fill the lanes.
struct AttentionShape {
  std::int64_t batch, time, heads, kv_heads, size;
  std::int64_t padded;  // size rounded up to whole vectors

  std::int64_t group() const { return heads / kv_heads; }
  std::int64_t row() const { return (heads + 2 * kv_heads) * size; }  // of qkv
  std::int64_t query(std::int64_t b, std::int64_t h) const { return b * time * row() + h * size; }
  std::int64_t key(std::int64_t b, std::int64_t g) const { return query(b, heads + g); }
  std::int64_t value(std::int64_t b, std::int64_t g) const { return query(b, heads + kv_heads + g); }
  std::int64_t out_row() const { return heads * size; }  // of y
  std::int64_t out(std::int64_t b, std::int64_t h) const { return b * time * out_row() + h * size; }
};

template <class Op>
TRIREME_ALWAYS_INLINE AttentionShape attention_shape(const Op& op) {
  const Shape& y = op.y.shape;
  const AttentionShape s{y[0], y[1], op.heads, op.kv_heads, y[3], divide_up(y[3], kLanes) * kLanes};
  assert(y[2] == op.heads && op.heads % op.kv_heads == 0);
  assert(op.qkv.shape == (Shape{s.batch, s.time, s.heads + 2 * s.kv_heads, s.size}));
  assert(op.lse.elements() == s.batch * s.heads * s.time);
  assert(!op.document_start || op.document_start.elements() == s.batch * s.time);
  return s;
}

/// to [count, padded] = rows of x, zeros behind them.
template <class T>
TRIREME_ALWAYS_INLINE void load_rows(float* to, const T* x, std::int64_t x_row, std::int64_t count, std::int64_t size,
                                     std::int64_t padded) {
  for (std::int64_t i = 0; i < count; ++i) {
#pragma omp simd
    for (std::int64_t k = 0; k < size; ++k) to[i * padded + k] = to_float(x[i * x_row + k]);
    for (std::int64_t k = size; k < padded; ++k) to[i * padded + k] = 0.0F;
  }
}

/// to [size, kTile] = the transpose of count rows of x, zeros beside them.
template <class T>
TRIREME_ALWAYS_INLINE void load_transposed(float* to, const T* x, std::int64_t x_row, std::int64_t count,
                                           std::int64_t size) {
  for (std::int64_t k = 0; k < size; ++k) {
    for (std::int64_t i = 0; i < count; ++i) to[k * kTile + i] = to_float(x[i * x_row + k]);
    for (std::int64_t i = count; i < kTile; ++i) to[k * kTile + i] = 0.0F;
  }
}

/// The first key that each query of a tile sees, and the least of them.
struct FirstKeys {
  std::int32_t of[kTile];
  std::int64_t least;
};
TRIREME_ALWAYS_INLINE void first_keys(FirstKeys& first, const std::int32_t* document_start, std::int64_t count) {
  first.least = document_start == nullptr || count == 0 ? 0 : document_start[0];
  for (std::int64_t i = 0; i < kTile; ++i) {
    first.of[i] = document_start == nullptr || i >= count ? 0 : document_start[i];
    if (i < count) first.least = smaller(first.least, first.of[i]);
  }
}

/// Whether every query of the tile [query, query + kTile) sees every key of [key, key + keys).
TRIREME_ALWAYS_INLINE bool all_visible(const FirstKeys& first, std::int64_t query, std::int64_t key,
                                       std::int64_t keys) {
  bool visible = key + keys - 1 <= query;
  for (std::int64_t i = 0; i < kTile; ++i) visible = visible && first.of[i] <= key;
  return visible;
}

}  // namespace trireme::cpu::TRIREME_CPU_LEVEL
