// SPDX-License-Identifier: Apache-2.0
// Sums of two tensors, and biases.
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/kernels.h"

namespace trireme::cuda {
namespace {

constexpr int kThreads = 256;

struct Plus {
  __device__ float operator()(float a, float b) const { return a + b; }
};

template <int N, class T>
__global__ void with_bias(T* y, const T* a, const T* b, const T* bias, std::int64_t count, std::int64_t width) {
  const std::int64_t at = (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) * N;
  if (at >= count) return;
  float x[N];
  float z[N];
  float c[N];
  load<N>(x, a + at);
  load<N>(z, b + at);
  load<N>(c, bias + at % width);
#pragma unroll
  for (int i = 0; i < N; ++i) x[i] = x[i] + z[i] + c[i];
  store<N>(y + at, x);
}

template <class T>
__global__ void bias_kernel(float* y, const T* bias, std::int64_t count, std::int64_t width) {
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (at < count) y[at] += to_float(bias[at % width]);
}

}  // namespace

void add(CudaStream& stream, const Add& op) {
  const std::int64_t count = op.y.elements();
  assert(op.a.elements() == count && op.b.elements() == count);
  if (count == 0) return;
  with_dtype(op.y.dtype, [&](auto value) {
    using T = decltype(value);
    if (!op.bias) {
      map(stream, data_of<T>(op.y), data_of<const T>(op.a), data_of<const T>(op.b), count, Plus{});
      return;
    }
    const std::int64_t width = op.bias.elements();
    assert(count % width == 0);
    const bool wide = on_sixteen({op.y.data, op.a.data, op.b.data, op.bias.data}) &&
                      width * static_cast<std::int64_t>(sizeof(T)) % 16 == 0;
    with_lanes<T>(wide, [&](auto lanes) {
      constexpr int kLanes = decltype(lanes)::value;
      with_bias<kLanes><<<blocks_for(count, kThreads * kLanes), kThreads, 0, stream.handle()>>>(
          data_of<T>(op.y), data_of<const T>(op.a), data_of<const T>(op.b), data_of<const T>(op.bias), count, width);
    });
    check_launch("add");
  });
}

void add_bias(CudaStream& stream, const Tensor& y, const Tensor& bias) {
  const std::int64_t count = y.elements();
  if (count == 0) return;
  with_dtype(bias.dtype, [&](auto value) {
    using T = decltype(value);
    bias_kernel<<<blocks_for(count, kThreads), kThreads, 0, stream.handle()>>>(
        data_of<float>(y), data_of<const T>(bias), count, bias.elements());
  });
  check_launch("add_bias");
}

}  // namespace trireme::cuda
