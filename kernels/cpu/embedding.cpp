// SPDX-License-Identifier: Apache-2.0
// Rows of tables by index, and their gradients.
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/level.h"

namespace trireme::cpu::TRIREME_CPU_LEVEL {

void embedding(const Embedding& op, int threads) {
  const std::int64_t rows = op.y.shape[0];
  const std::int64_t width = op.y.shape[1];
  const std::int64_t table_rows = op.token_table.shape[0];
  assert(op.token_table.shape[1] == width && op.tokens.elements() == rows);
  assert(!op.position_table || (op.position_table.shape[1] == width && op.positions.elements() == rows));
  const auto* tokens = data_of<std::int32_t>(op.tokens);
  const auto* positions = data_of<std::int32_t>(op.positions);
  with_dtype(op.y.dtype, [&](auto value) {
    using T = decltype(value);
    T* y = data_of<T>(op.y);
    const T* token_table = data_of<T>(op.token_table);
    const T* position_table = data_of<T>(op.position_table);
#pragma omp parallel for schedule(static) num_threads(threads) if (rows * width > 8192)
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int64_t at = tokens[row] - op.first_row;
      const bool present = at >= 0 && at < table_rows;
      const T* token = token_table + (present ? at : 0) * width;
      T* out = y + row * width;
      if (position_table == nullptr) {
        for (std::int64_t i = 0; i < width; ++i) store(out[i], present ? to_float(token[i]) : 0.0F);
      } else {
        assert(positions[row] >= 0 && positions[row] < op.position_table.shape[0]);
        const T* position = position_table + positions[row] * width;
        for (std::int64_t i = 0; i < width; ++i) {
          store(out[i], (present ? to_float(token[i]) : 0.0F) + to_float(position[i]));
        }
      }
    }
  });
}

namespace {

/// Adds rows of dy to rows of the table, each table row by one thread and in the order of dy's rows.
template <class T>
void scatter(const Tensor& table, const T* dy, const std::int32_t* index, std::int64_t rows, std::int64_t first,
             int threads) {
  const std::int64_t table_rows = table.shape[0];
  const std::int64_t width = table.shape[1];
  auto* out = data_of<float>(table);
#pragma omp parallel for schedule(static) num_threads(threads) if (rows * width > 8192)
  for (int owner = 0; owner < threads; ++owner) {
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int64_t at = index[row] - first;
      if (at < 0 || at >= table_rows || at % threads != owner) continue;
      float* sum = out + at * width;
      const T* d = dy + row * width;
      for (std::int64_t i = 0; i < width; ++i) sum[i] += to_float(d[i]);
    }
  }
}

}  // namespace

void embedding_backward(const EmbeddingBackward& op, int threads) {
  const std::int64_t rows = op.dy.shape[0];
  assert(op.d_token_table.shape[1] == op.dy.shape[1] && op.tokens.elements() == rows);
  with_dtype(op.dy.dtype, [&](auto value) {
    using T = decltype(value);
    const T* dy = data_of<T>(op.dy);
    scatter(op.d_token_table, dy, data_of<std::int32_t>(op.tokens), rows, op.first_row, threads);
    if (op.d_position_table) {
      assert(op.positions.elements() == rows && op.d_position_table.shape[1] == op.dy.shape[1]);
      scatter(op.d_position_table, dy, data_of<std::int32_t>(op.positions), rows, 0, threads);
    }
  });
}

}  // namespace trireme::cpu::TRIREME_CPU_LEVEL
