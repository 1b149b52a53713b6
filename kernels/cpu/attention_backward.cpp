// SPDX-License-Identifier: Apache-2.0
// Attention backward by tiles: probabilities come back from the saved log-sum-exp (Dao et al. 2022, algorithm 4).
// A thread owns a key/value head with all its queries, so that every sum has one order.
#include "kernels/cpu/attention_tiles.h"
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/level.h"
#include "kernels/cpu/scratch.h"

namespace trireme::cpu::TRIREME_CPU_LEVEL {
namespace {

/// Memory of one key/value head: all its keys and values, and one tile of queries.
struct HeadScratch {
  float *keys, *values, *d_keys, *d_values;  // [time, padded]
  float *query, *dy;                         // [kTile, padded]
  float *query_t, *dy_t;                     // [size, kTile]
  float* d_query;                            // [kTile, padded]
  float *scores, *d_scores;                  // [kTile keys, kTile queries]
  FirstKeys first;

  static std::int64_t floats(const AttentionShape& s) {
    return 4 * s.time * s.padded + 3 * kTile * s.padded + 2 * s.size * kTile + 2 * kTile * kTile;
  }
  HeadScratch(float* memory, const AttentionShape& s) {
    const auto take = [&memory](std::int64_t count) {
      float* part = memory;
      memory += count;
      return part;
    };
    for (float** part : {&keys, &values, &d_keys, &d_values}) *part = take(s.time * s.padded);
    for (float** part : {&query, &dy, &d_query}) *part = take(kTile * s.padded);
    for (float** part : {&query_t, &dy_t}) *part = take(s.size * kTile);
    for (float** part : {&scores, &d_scores}) *part = take(kTile * kTile);
  }
};

/// scores become probabilities, d_scores (from the gradient of probabilities) the gradient of unscaled scores.
TRIREME_ALWAYS_INLINE void softmax_gradient(HeadScratch& head, const float* lse, const float* row_dot, float scale,
                                            std::int64_t query, std::int64_t key, std::int64_t keys, bool masked) {
  for (std::int64_t j = 0; j < keys; ++j) {
    const auto at = static_cast<std::int32_t>(key + j);
    const auto from = static_cast<std::int32_t>(key + j - query);
    float* p = head.scores + j * kTile;
    float* d = head.d_scores + j * kTile;
    const std::int32_t* first = head.first.of;
    if (masked) {
#pragma omp simd
      for (std::int32_t i = 0; i < static_cast<std::int32_t>(kTile); ++i) {
        const bool visible = i >= from && first[i] <= at;
        p[i] = visible ? p[i] : -__builtin_inff();
      }
    }
#pragma omp simd
    for (std::int64_t i = 0; i < kTile; ++i) {
      p[i] = exponential(p[i] * scale - lse[i]);
      d[i] = p[i] * (d[i] - row_dot[i]) * scale;
    }
  }
}

template <class T>
void query_tile(const AttentionBackward& op, const AttentionShape& s, std::int64_t b, std::int64_t h,
                std::int64_t begin, HeadScratch& head) {
  const std::int64_t queries = smaller(kTile, s.time - begin);
  const std::int64_t lse_at = (b * s.heads + h) * s.time + begin;
  const T* query = data_of<T>(op.qkv) + s.query(b, h) + begin * s.row();
  const T* dy = data_of<T>(op.dy) + s.out(b, h) + begin * s.out_row();
  const T* y = data_of<T>(op.y) + s.out(b, h) + begin * s.out_row();
  load_rows(head.query, query, s.row(), queries, s.size, s.padded);
  load_rows(head.dy, dy, s.out_row(), queries, s.size, s.padded);
  load_transposed(head.query_t, query, s.row(), queries, s.size);
  load_transposed(head.dy_t, dy, s.out_row(), queries, s.size);
  float* row_dots = data_of<float>(op.row_dot) + lse_at;
  // Lanes beyond the last query get probability 0.
  float lse[kTile];
  float row_dot[kTile];
  for (std::int64_t i = 0; i < kTile; ++i) {
    lse[i] = __builtin_inff();
    row_dot[i] = 0.0F;
  }
  for (std::int64_t i = 0; i < queries; ++i) {
    float dot = 0.0F;
#pragma omp simd reduction(+ : dot)
    for (std::int64_t k = 0; k < s.size; ++k) {
      dot += to_float(dy[i * s.out_row() + k]) * to_float(y[i * s.out_row() + k]);
    }
    row_dots[i] = dot;
    row_dot[i] = dot;
    lse[i] = data_of<float>(op.lse)[lse_at + i];
  }
  for (std::int64_t i = 0; i < kTile * s.padded; ++i) head.d_query[i] = 0.0F;
  const auto* start = data_of<std::int32_t>(op.document_start);
  first_keys(head.first, start == nullptr ? nullptr : start + b * s.time + begin, queries);

  const std::int64_t width = s.padded;
  for (std::int64_t key = head.first.least / kTile * kTile; key < begin + queries; key += kTile) {
    const std::int64_t count = smaller(kTile, begin + queries - key);
    const float* keys = head.keys + key * width;
    const float* values = head.values + key * width;
    tile_product(head.scores, kTile, {keys, width, 1}, head.query_t, kTile, count, s.size, kTile, false);
    tile_product(head.d_scores, kTile, {values, width, 1}, head.dy_t, kTile, count, s.size, kTile, false);
    const bool masked = !all_visible(head.first, begin, key, count);
    softmax_gradient(head, lse, row_dot, op.scale, begin, key, count, masked);
    tile_product(head.d_values + key * width, width, {head.scores, kTile, 1}, head.dy, width, count, queries, width,
                 true);
    tile_product(head.d_keys + key * width, width, {head.d_scores, kTile, 1}, head.query, width, count, queries, width,
                 true);
    tile_product(head.d_query, width, {head.d_scores, 1, kTile}, keys, width, queries, count, width, true);
  }

  T* d_query = data_of<T>(op.d_qkv) + s.query(b, h) + begin * s.row();
  for (std::int64_t i = 0; i < queries; ++i) {
    for (std::int64_t k = 0; k < s.size; ++k) store(d_query[i * s.row() + k], head.d_query[i * width + k]);
  }
}

template <class T>
void key_value_head(const AttentionBackward& op, const AttentionShape& s, std::int64_t b, std::int64_t g,
                    HeadScratch& head) {
  load_rows(head.keys, data_of<T>(op.qkv) + s.key(b, g), s.row(), s.time, s.size, s.padded);
  load_rows(head.values, data_of<T>(op.qkv) + s.value(b, g), s.row(), s.time, s.size, s.padded);
  for (std::int64_t i = 0; i < s.time * s.padded; ++i) head.d_keys[i] = head.d_values[i] = 0.0F;
  for (std::int64_t h = g * s.group(); h < (g + 1) * s.group(); ++h) {
    for (std::int64_t begin = 0; begin < s.time; begin += kTile) query_tile<T>(op, s, b, h, begin, head);
  }
  T* d_keys = data_of<T>(op.d_qkv) + s.key(b, g);
  T* d_values = data_of<T>(op.d_qkv) + s.value(b, g);
  for (std::int64_t t = 0; t < s.time; ++t) {
    for (std::int64_t k = 0; k < s.size; ++k) {
      store(d_keys[t * s.row() + k], head.d_keys[t * s.padded + k]);
      store(d_values[t * s.row() + k], head.d_values[t * s.padded + k]);
    }
  }
}

}  // namespace

void attention_backward(const AttentionBackward& op, int threads) {
  const AttentionShape s = attention_shape(op);
  assert(op.d_qkv.shape == op.qkv.shape && op.dy.shape == op.y.shape && op.row_dot.elements() == op.lse.elements());
  const std::int64_t tasks = s.batch * s.kv_heads;
  with_dtype(op.y.dtype, [&](auto value) {
    using T = decltype(value);
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (std::int64_t task = 0; task < tasks; ++task) {
      const auto bytes = static_cast<std::size_t>(HeadScratch::floats(s)) * sizeof(float);
      HeadScratch head(static_cast<float*>(thread_scratch(bytes)), s);
      key_value_head<T>(op, s, task / s.kv_heads, task % s.kv_heads, head);
    }
  });
}

}  // namespace trireme::cpu::TRIREME_CPU_LEVEL
