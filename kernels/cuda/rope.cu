// SPDX-License-Identifier: Apache-2.0
// Rotary positions, in place.
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/lanes.cuh"

namespace trireme::cuda {
namespace {

constexpr int kThreads = 256;

/// One thread turns N pairs of one head.
template <int N, class T>
__global__ void rotate(T* x, const std::int32_t* positions, const float* cos_sin, std::int64_t count, int heads,
                       int rotated, int half, float sign) {
  const std::int64_t item = (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) * N;
  if (item >= count) return;
  const int at = static_cast<int>(item % half);
  const std::int64_t head = item / half % rotated;
  const std::int64_t row = item / half / rotated;
  T* first = x + (row * heads + head) * 2 * half + at;
  const float* cosine = cos_sin + static_cast<std::int64_t>(positions[row]) * 2 * half + at;
  float a[N];
  float b[N];
  load<N>(a, first);
  load<N>(b, first + half);
#pragma unroll
  for (int i = 0; i < N; ++i) {
    const float c = cosine[i];
    const float s = sign * cosine[half + i];
    const float turned = a[i] * c - b[i] * s;
    b[i] = b[i] * c + a[i] * s;
    a[i] = turned;
  }
  store<N>(first, a);
  store<N>(first + half, b);
}

}  // namespace

void rope(CudaStream& stream, const Rope& op) {
  const std::int64_t rows = op.x.shape[0];
  const std::int64_t size = op.x.shape[2];
  assert(size % 2 == 0 && op.cos_sin.shape[1] == size && op.positions.elements() == rows);
  assert(op.rotated_heads <= op.x.shape[1]);
  const std::int64_t count = rows * op.rotated_heads * (size / 2);
  if (count == 0) return;
  with_dtype(op.x.dtype, [&](auto value) {
    using T = decltype(value);
    const bool wide = on_sixteen({op.x.data}) && size / 2 * static_cast<std::int64_t>(sizeof(T)) % 16 == 0;
    with_lanes<T>(wide, [&](auto lanes) {
      constexpr int kLanes = decltype(lanes)::value;
      rotate<kLanes><<<blocks_for(count, kThreads * kLanes), kThreads, 0, stream.handle()>>>(
          data_of<T>(op.x), data_of<const std::int32_t>(op.positions), data_of<const float>(op.cos_sin), count,
          static_cast<int>(op.x.shape[1]), static_cast<int>(op.rotated_heads), static_cast<int>(size / 2),
          op.inverse ? -1.0F : 1.0F);
    });
  });
  check_launch("rope");
}

}  // namespace trireme::cuda
