// SPDX-License-Identifier: Apache-2.0
// Rows of tables by index, and their gradients: rows are sorted by index first, so that each table row is summed by one
// block in the order of the rows, without atomics.
#include <cub/device/device_radix_sort.cuh>

#include "kernels/cuda/kernels.h"
#include "kernels/cuda/lanes.cuh"

namespace trireme::cuda {
namespace {

constexpr int kWarps = 4;
constexpr int kThreads = 128;

template <int N, class T>
__global__ void look_up(T* y, const std::int32_t* tokens, const std::int32_t* positions, const T* token_table,
                        const T* position_table, std::int64_t rows, int width, std::int64_t table_rows,
                        std::int64_t first_row) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * kWarps + threadIdx.x / kWarp;
  if (row >= rows) return;
  const std::int64_t token = tokens[row] - first_row;
  const bool present = token >= 0 && token < table_rows;
  for (int at = static_cast<int>(threadIdx.x) % kWarp * N; at < width; at += kWarp * N) {
    float sum[N] = {};
    if (present) load<N>(sum, token_table + token * width + at);
    if (position_table != nullptr) {
      float other[N];
      load<N>(other, position_table + static_cast<std::int64_t>(positions[row]) * width + at);
#pragma unroll
      for (int i = 0; i < N; ++i) sum[i] += other[i];
    }
    store<N>(y + row * width + at, sum);
  }
}

__global__ void count_up(std::int32_t* rows, std::int32_t count) {
  const auto at = static_cast<std::int32_t>(blockIdx.x * kThreads + threadIdx.x);
  if (at < count) rows[at] = at;
}

/// A block for each place in the sorted order; those that begin a run of equal indices add its rows to the table.
template <int N, class T>
__global__ void add_runs(float* table, const T* dy, const std::int32_t* sorted, const std::int32_t* rows,
                         std::int64_t count, int width, std::int64_t table_rows, std::int64_t first_row) {
  constexpr int kAhead = 8;  // rows whose loads are in flight together
  const std::int64_t begin = blockIdx.x;
  const std::int32_t index = sorted[begin];
  if (begin > 0 && sorted[begin - 1] == index) return;
  const std::int64_t target = index - first_row;
  if (target < 0 || target >= table_rows) return;
  std::int64_t end = begin + 1;
  while (end < count && sorted[end] == index) ++end;
  for (int at = static_cast<int>(threadIdx.x) * N; at < width; at += static_cast<int>(blockDim.x) * N) {
    float sum[N] = {};
    for (std::int64_t from = begin; from < end; from += kAhead) {
      float v[kAhead][N] = {};
#pragma unroll
      for (int k = 0; k < kAhead; ++k) {
        if (from + k < end) load<N>(v[k], dy + static_cast<std::int64_t>(rows[from + k]) * width + at);
      }
#pragma unroll
      for (int k = 0; k < kAhead; ++k) {
#pragma unroll
        for (int i = 0; i < N; ++i) sum[i] += v[k][i];
      }
    }
    float* out = table + target * width + at;
#pragma unroll
    for (int i = 0; i < N; ++i) out[i] += sum[i];
  }
}

std::size_t padded(std::size_t bytes) { return (bytes + 255) / 256 * 256; }

/// table [rows, D] f32 += the rows of dy, each at its index.
template <class T>
void scatter(CudaStream& stream, const Tensor& table, const Tensor& dy, const std::int32_t* index, std::int64_t first) {
  const std::int64_t count = dy.shape[0];
  const std::int64_t width = dy.shape[1];
  if (count == 0 || table.shape[0] == 0) return;
  const auto items = static_cast<int>(count);
  std::size_t sort_bytes = 0;
  check(cub::DeviceRadixSort::SortPairs(nullptr, sort_bytes, index, static_cast<std::int32_t*>(nullptr),
                                        static_cast<const std::int32_t*>(nullptr), static_cast<std::int32_t*>(nullptr),
                                        items, 0, 32, stream.handle()),
        "sizing a sort");
  const std::size_t list = padded(static_cast<std::size_t>(count) * sizeof(std::int32_t));
  auto* scratch = static_cast<std::byte*>(stream.scratch(3 * list + sort_bytes));
  auto* order = reinterpret_cast<std::int32_t*>(scratch);
  auto* sorted = reinterpret_cast<std::int32_t*>(scratch + list);
  auto* rows = reinterpret_cast<std::int32_t*>(scratch + 2 * list);
  count_up<<<blocks_for(count, kThreads), kThreads, 0, stream.handle()>>>(order, items);
  check_launch("embedding_backward");
  check(cub::DeviceRadixSort::SortPairs(scratch + 3 * list, sort_bytes, index, sorted,
                                        static_cast<const std::int32_t*>(order), rows, items, 0, 32, stream.handle()),
        "sorting tokens");
  const bool wide = on_sixteen({dy.data}) && width * static_cast<std::int64_t>(sizeof(T)) % 16 == 0;
  with_lanes<T>(wide, [&](auto lanes) {
    constexpr int kLanes = decltype(lanes)::value;
    add_runs<kLanes><<<static_cast<unsigned>(count), kThreads, 0, stream.handle()>>>(
        data_of<float>(table), data_of<const T>(dy), sorted, rows, count, static_cast<int>(width), table.shape[0],
        first);
  });
  check_launch("embedding_backward");
}

}  // namespace

void embedding(CudaStream& stream, const Embedding& op) {
  const std::int64_t rows = op.y.shape[0];
  const std::int64_t width = op.y.shape[1];
  assert(op.token_table.shape[1] == width && op.tokens.elements() == rows);
  if (rows == 0) return;
  with_dtype(op.y.dtype, [&](auto value) {
    using T = decltype(value);
    const bool wide = on_sixteen({op.y.data, op.token_table.data, op.position_table.data}) &&
                      width * static_cast<std::int64_t>(sizeof(T)) % 16 == 0;
    with_lanes<T>(wide, [&](auto lanes) {
      constexpr int kLanes = decltype(lanes)::value;
      look_up<kLanes><<<blocks_for(rows, kWarps), kWarps * kWarp, 0, stream.handle()>>>(
          data_of<T>(op.y), data_of<const std::int32_t>(op.tokens), data_of<const std::int32_t>(op.positions),
          data_of<const T>(op.token_table), data_of<const T>(op.position_table), rows, static_cast<int>(width),
          op.token_table.shape[0], op.first_row);
    });
  });
  check_launch("embedding");
}

void embedding_backward(CudaStream& stream, const EmbeddingBackward& op) {
  assert(op.d_token_table.shape[1] == op.dy.shape[1] && op.tokens.elements() == op.dy.shape[0]);
  with_dtype(op.dy.dtype, [&](auto value) {
    using T = decltype(value);
    scatter<T>(stream, op.d_token_table, op.dy, data_of<const std::int32_t>(op.tokens), op.first_row);
    if (op.d_position_table) {
      scatter<T>(stream, op.d_position_table, op.dy, data_of<const std::int32_t>(op.positions), 0);
    }
  });
}

}  // namespace trireme::cuda
