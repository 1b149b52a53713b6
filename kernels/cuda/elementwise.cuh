// SPDX-License-Identifier: Apache-2.0
// Operations that treat each element alone: `inputs` in, one out, each thread 16 bytes of the widest dtype.
#pragma once

#include "kernels/cuda/lanes.cuh"

namespace trireme::cuda {

inline constexpr int kElementThreads = 256;

/// out[i] = f(a[i], b[i]) (b may be null, and is then 0).
template <int N, class Out, class A, class B, class F>
__global__ void map_kernel(Out* out, const A* a, const B* b, std::int64_t count, F f) {
  const std::int64_t at = (static_cast<std::int64_t>(blockIdx.x) * kElementThreads + threadIdx.x) * N;
  if (at >= count) return;
  float x[N];
  float y[N] = {};
  load<N>(x, a + at);
  if (b != nullptr) load<N>(y, b + at);
#pragma unroll
  for (int i = 0; i < N; ++i) x[i] = f(x[i], y[i]);
  store<N>(out + at, x);
}

template <class Out, class A, class B, class F>
void map(CudaStream& stream, Out* out, const A* a, const B* b, std::int64_t count, const F& f) {
  if (count == 0) return;
  constexpr int kLanes = sizeof(Out) == 2 && sizeof(A) == 2 && sizeof(B) == 2 ? 8 : 4;
  if (on_sixteen({out, a, b}) && count % kLanes == 0) {
    map_kernel<kLanes>
        <<<blocks_for(count, kElementThreads * kLanes), kElementThreads, 0, stream.handle()>>>(out, a, b, count, f);
  } else {
    map_kernel<1><<<blocks_for(count, kElementThreads), kElementThreads, 0, stream.handle()>>>(out, a, b, count, f);
  }
  check_launch("an elementwise kernel");
}

}  // namespace trireme::cuda
