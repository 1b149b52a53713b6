// SPDX-License-Identifier: Apache-2.0
// AdamW on a flat range: masters and moments in fp32, and the bf16 copy that the next step computes with.
#include <cmath>

#include "kernels/cuda/kernels.h"
#include "kernels/cuda/lanes.cuh"

namespace trireme::cuda {
namespace {

constexpr int kThreads = 256;

struct Update {
  float* master;
  float* first;
  float* second;
  const float* gradient;
  bf16* copy;
  const float* scale;
  std::int64_t count;
  float beta1, beta2, rest1, rest2, rate, root_correction, decay, eps;
};

template <int N>
__global__ void update(const Update op) {
  const std::int64_t at = (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) * N;
  if (at >= op.count) return;
  const float scale = *op.scale;
  if (scale == kSkippedUpdate) return;
  float master[N];
  float m[N];
  float v[N];
  float g[N];
  load<N>(master, op.master + at);
  load<N>(m, op.first + at);
  load<N>(v, op.second + at);
  load<N>(g, op.gradient + at);
#pragma unroll
  for (int i = 0; i < N; ++i) {
    const float scaled = g[i] * scale;
    m[i] = op.beta1 * m[i] + op.rest1 * scaled;
    v[i] = op.beta2 * v[i] + op.rest2 * scaled * scaled;
    master[i] = master[i] * op.decay - op.rate * m[i] / (sqrtf(v[i]) * op.root_correction + op.eps);
  }
  store<N>(op.first + at, m);
  store<N>(op.second + at, v);
  store<N>(op.master + at, master);
  if (op.copy != nullptr) store<N>(op.copy + at, master);
}

}  // namespace

void adamw(CudaStream& stream, const AdamW& op) {
  const std::int64_t count = op.master.elements();
  assert(op.first.elements() == count && op.second.elements() == count && op.gradient.elements() == count);
  assert(op.step >= 1 && (!op.copy || op.copy.elements() == count));
  if (count == 0) return;
  const auto step = static_cast<double>(op.step);
  const double correction1 = 1.0 - std::pow(static_cast<double>(op.beta1), step);
  const double correction2 = 1.0 - std::pow(static_cast<double>(op.beta2), step);
  const Update u{.master = data_of<float>(op.master),
                 .first = data_of<float>(op.first),
                 .second = data_of<float>(op.second),
                 .gradient = data_of<const float>(op.gradient),
                 .copy = data_of<bf16>(op.copy),
                 .scale = data_of<const float>(op.scale),
                 .count = count,
                 .beta1 = op.beta1,
                 .beta2 = op.beta2,
                 .rest1 = 1.0F - op.beta1,
                 .rest2 = 1.0F - op.beta2,
                 .rate = static_cast<float>(static_cast<double>(op.lr) / correction1),
                 .root_correction = static_cast<float>(1.0 / std::sqrt(correction2)),
                 .decay = 1.0F - op.lr * op.weight_decay,
                 .eps = op.eps};
  if (on_sixteen({u.master, u.first, u.second, u.gradient, u.copy}) && count % 4 == 0) {
    update<4><<<blocks_for(count, kThreads * 4), kThreads, 0, stream.handle()>>>(u);
  } else {
    update<1><<<blocks_for(count, kThreads), kThreads, 0, stream.handle()>>>(u);
  }
  check_launch("adamw");
}

}  // namespace trireme::cuda
