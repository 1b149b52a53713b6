// SPDX-License-Identifier: Apache-2.0
// Attention forward by tiles with a running softmax (Dao 2023, FlashAttention-2): T x T is never stored.
#include "kernels/cpu/attention_tiles.h"
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/level.h"
#include "kernels/cpu/scratch.h"

namespace trireme::cpu::TRIREME_CPU_LEVEL {
namespace {

/// One tile of queries of one head, while it walks over the keys.
struct QueryTile {
  float* query;   // [size, kTile], scaled
  float* scores;  // [kTile keys, kTile queries]
  float* out;     // [kTile, padded]
  float* keys;    // [kTile, padded]
  float* values;  // [kTile, padded]
  float high[kTile];
  float total[kTile];
  FirstKeys first;
};

TRIREME_ALWAYS_INLINE void mask(float* scores, const FirstKeys& first, std::int64_t query, std::int64_t key,
                                std::int64_t keys) {
  for (std::int64_t j = 0; j < keys; ++j) {
    const auto at = static_cast<std::int32_t>(key + j);
    const auto from = static_cast<std::int32_t>(key + j - query);  // queries before this one do not see the key
    float* row = scores + j * kTile;
#pragma omp simd
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(kTile); ++i) {
      const bool visible = i >= from && first.of[i] <= at;
      row[i] = visible ? row[i] : -__builtin_inff();
    }
  }
}

/// Scores become probabilities up to the running total; out and total are rescaled to the new maximum.
TRIREME_ALWAYS_INLINE void running_softmax(QueryTile& tile, std::int64_t keys, std::int64_t queries,
                                           std::int64_t padded) {
  float high[kTile];
  float factor[kTile];
  float total[kTile];
  for (std::int64_t i = 0; i < kTile; ++i) high[i] = tile.high[i];
  for (std::int64_t j = 0; j < keys; ++j) {
    const float* row = tile.scores + j * kTile;
#pragma omp simd
    for (std::int64_t i = 0; i < kTile; ++i) high[i] = row[i] > high[i] ? row[i] : high[i];
  }
  bool moved = false;
  for (std::int64_t i = 0; i < kTile; ++i) {
    // A query that has seen no key yet has maximum -infinity; 0 in its place keeps the differences defined.
    const float reference = high[i] == -__builtin_inff() ? 0.0F : high[i];
    factor[i] = exponential(tile.high[i] - reference);
    moved = moved || factor[i] != 1.0F;
    tile.high[i] = high[i];
    high[i] = reference;
    total[i] = tile.total[i] * factor[i];
  }
  for (std::int64_t j = 0; j < keys; ++j) {
    float* row = tile.scores + j * kTile;
#pragma omp simd
    for (std::int64_t i = 0; i < kTile; ++i) {
      row[i] = exponential(row[i] - high[i]);
      total[i] += row[i];
    }
  }
  for (std::int64_t i = 0; i < kTile; ++i) tile.total[i] = total[i];
  if (!moved) return;
  for (std::int64_t i = 0; i < queries; ++i) {
#pragma omp simd
    for (std::int64_t k = 0; k < padded; ++k) tile.out[i * padded + k] *= factor[i];
  }
}

template <class T>
void attend(const Attention& op, const AttentionShape& s, std::int64_t b, std::int64_t h, std::int64_t begin,
            QueryTile& tile) {
  const T* qkv = data_of<T>(op.qkv);
  const std::int64_t queries = smaller(kTile, s.time - begin);
  const std::int64_t row = s.row();
  const T* keys = qkv + s.key(b, h / s.group());
  const T* values = qkv + s.value(b, h / s.group());
  load_transposed(tile.query, qkv + s.query(b, h) + begin * row, row, queries, s.size);
  for (std::int64_t i = 0; i < s.size * kTile; ++i) tile.query[i] *= op.scale;
  for (std::int64_t i = 0; i < kTile * s.padded; ++i) tile.out[i] = 0.0F;
  for (std::int64_t i = 0; i < kTile; ++i) {
    tile.high[i] = -__builtin_inff();
    tile.total[i] = 0.0F;
  }
  const auto* start = data_of<std::int32_t>(op.document_start);
  first_keys(tile.first, start == nullptr ? nullptr : start + b * s.time + begin, queries);

  for (std::int64_t key = tile.first.least / kTile * kTile; key < begin + queries; key += kTile) {
    const std::int64_t count = smaller(kTile, smaller(s.time, begin + queries) - key);
    load_rows(tile.keys, keys + key * row, row, count, s.size, s.padded);
    load_rows(tile.values, values + key * row, row, count, s.size, s.padded);
    tile_product(tile.scores, kTile, {tile.keys, s.padded, 1}, tile.query, kTile, count, s.size, kTile, false);
    if (!all_visible(tile.first, begin, key, count)) mask(tile.scores, tile.first, begin, key, count);
    running_softmax(tile, count, queries, s.padded);
    tile_product(tile.out, s.padded, {tile.scores, 1, kTile}, tile.values, s.padded, queries, count, s.padded, true);
  }

  T* y = data_of<T>(op.y) + s.out(b, h) + begin * s.out_row();
  float* lse = data_of<float>(op.lse) + (b * s.heads + h) * s.time + begin;
  for (std::int64_t i = 0; i < queries; ++i) {
    const float inverse = 1.0F / tile.total[i];
    for (std::int64_t k = 0; k < s.size; ++k) store(y[i * s.out_row() + k], tile.out[i * s.padded + k] * inverse);
    lse[i] = tile.high[i] + __builtin_logf(tile.total[i]);
  }
}

}  // namespace

void attention(const Attention& op, int threads) {
  const AttentionShape s = attention_shape(op);
  const std::int64_t tiles = divide_up(s.time, kTile);
  const std::int64_t tasks = s.batch * s.heads * tiles;
  with_dtype(op.y.dtype, [&](auto value) {
    using T = decltype(value);
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (std::int64_t task = 0; task < tasks; ++task) {
      const std::int64_t floats = s.size * kTile + kTile * kTile + 3 * kTile * s.padded;
      auto* scratch = static_cast<float*>(thread_scratch(static_cast<std::size_t>(floats) * sizeof(float)));
      QueryTile tile;
      tile.query = scratch;
      tile.scores = tile.query + s.size * kTile;
      tile.out = tile.scores + kTile * kTile;
      tile.keys = tile.out + kTile * s.padded;
      tile.values = tile.keys + kTile * s.padded;
      // The last tiles see the most keys: they go first, so that no thread is left with one at the end.
      const std::int64_t pair = task % (s.batch * s.heads);
      const std::int64_t begin = (tiles - 1 - task / (s.batch * s.heads)) * kTile;
      attend<T>(op, s, pair / s.heads, pair % s.heads, begin, tile);
    }
  });
}

}  // namespace trireme::cpu::TRIREME_CPU_LEVEL
