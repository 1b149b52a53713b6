// SPDX-License-Identifier: Apache-2.0
// SwiGLU: silu(gate) * up, and its gradient.
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/lanes.cuh"

namespace trireme::cuda {
namespace {

constexpr int kThreads = 256;

__device__ float sigmoid(float z) { return 1.0F / (1.0F + expf(-z)); }

template <int N, class T>
__global__ void forward(T* y, const T* gate_up, std::int64_t count, std::int64_t width) {
  const std::int64_t at = (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) * N;
  if (at >= count) return;
  const std::int64_t row = at / width;
  const T* gates = gate_up + row * 2 * width + at % width;
  float g[N];
  float u[N];
  load<N>(g, gates);
  load<N>(u, gates + width);
#pragma unroll
  for (int i = 0; i < N; ++i) g[i] = g[i] * sigmoid(g[i]) * u[i];
  store<N>(y + at, g);
}

template <int N, class T>
__global__ void backward(T* d_gate_up, const T* dy, const T* gate_up, std::int64_t count, std::int64_t width) {
  const std::int64_t at = (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) * N;
  if (at >= count) return;
  const std::int64_t place = at / width * 2 * width + at % width;
  float g[N];
  float u[N];
  float d[N];
  load<N>(g, gate_up + place);
  load<N>(u, gate_up + place + width);
  load<N>(d, dy + at);
#pragma unroll
  for (int i = 0; i < N; ++i) {
    const float s = sigmoid(g[i]);
    const float d_gate = d[i] * u[i] * s * (1.0F + g[i] * (1.0F - s));
    u[i] = d[i] * g[i] * s;
    g[i] = d_gate;
  }
  store<N>(d_gate_up + place, g);
  store<N>(d_gate_up + place + width, u);
}

}  // namespace

void swiglu(CudaStream& stream, const SwiGlu& op) {
  const std::int64_t width = op.y.shape[1];
  const std::int64_t count = op.y.elements();
  assert(op.gate_up.elements() == 2 * count);
  if (count == 0) return;
  with_dtype(op.y.dtype, [&](auto value) {
    using T = decltype(value);
    const bool wide =
        on_sixteen({op.y.data, op.gate_up.data}) && width * static_cast<std::int64_t>(sizeof(T)) % 16 == 0;
    with_lanes<T>(wide, [&](auto lanes) {
      constexpr int kLanes = decltype(lanes)::value;
      forward<kLanes><<<blocks_for(count, kThreads * kLanes), kThreads, 0, stream.handle()>>>(
          data_of<T>(op.y), data_of<const T>(op.gate_up), count, width);
    });
  });
  check_launch("swiglu");
}

void swiglu_backward(CudaStream& stream, const SwiGluBackward& op) {
  const std::int64_t width = op.dy.shape[1];
  const std::int64_t count = op.dy.elements();
  assert(op.gate_up.elements() == 2 * count && op.d_gate_up.elements() == 2 * count);
  if (count == 0) return;
  with_dtype(op.dy.dtype, [&](auto value) {
    using T = decltype(value);
    const bool wide = on_sixteen({op.dy.data, op.gate_up.data, op.d_gate_up.data}) &&
                      width * static_cast<std::int64_t>(sizeof(T)) % 16 == 0;
    with_lanes<T>(wide, [&](auto lanes) {
      constexpr int kLanes = decltype(lanes)::value;
      backward<kLanes><<<blocks_for(count, kThreads * kLanes), kThreads, 0, stream.handle()>>>(
          data_of<T>(op.d_gate_up), data_of<const T>(op.dy), data_of<const T>(op.gate_up), count, width);
    });
  });
  check_launch("swiglu_backward");
}

}  // namespace trireme::cuda
