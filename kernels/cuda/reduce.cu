// SPDX-License-Identifier: Apache-2.0
// Sums in a fixed order, in two stages: blocks of a number that depends on the length alone, then one block over them.
#include "kernels/cuda/column_sums.cuh"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/lanes.cuh"

namespace trireme::cuda {
namespace {

constexpr int kThreads = 256;
constexpr std::int64_t kMostBlocks = 1024;
constexpr int kRun = 4;  // elements that are added in fp32 before they go into a double

struct Itself {
  __device__ float operator()(float v) const { return v; }
};
struct Squared {
  __device__ float operator()(float v) const { return v * v; }
};

template <int N, class Term>
__global__ void first_stage(double* parts, const float* x, std::int64_t count, Term term) {
  __shared__ double shared[kWarp];
  double sum = 0.0;
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * kThreads * N;
  for (std::int64_t at = (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) * N; at < count; at += step) {
    float v[N];
    load<N>(v, x + at);
    float run = 0.0F;
#pragma unroll
    for (int i = 0; i < N; ++i) run += term(v[i]);
    sum += static_cast<double>(run);
  }
  sum = block_sum(sum, shared);
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

__global__ void second_stage(float* out, const double* parts, int count) {
  __shared__ double shared[kWarp];
  double sum = 0.0;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += kThreads) sum += parts[i];
  sum = block_sum(sum, shared);
  if (threadIdx.x == 0) *out = static_cast<float>(static_cast<double>(*out) + sum);
}

template <class Term>
void add_terms(CudaStream& stream, const Tensor& out, const Tensor& x, const Term& term) {
  const std::int64_t count = x.elements();
  if (count == 0) return;
  const auto blocks = static_cast<int>(std::min(divide_up(count, kThreads * kRun), kMostBlocks));
  auto* parts = static_cast<double*>(stream.scratch(kMostBlocks * sizeof(double)));
  if (on_sixteen({x.data}) && count % kRun == 0) {
    first_stage<kRun><<<blocks, kThreads, 0, stream.handle()>>>(parts, data_of<const float>(x), count, term);
  } else {
    first_stage<1><<<blocks, kThreads, 0, stream.handle()>>>(parts, data_of<const float>(x), count, term);
  }
  check_launch("a sum");
  second_stage<<<1, kThreads, 0, stream.handle()>>>(data_of<float>(out), parts, blocks);
  check_launch("a sum");
}

/// The elements themselves.
template <int N, class T>
struct Elements {
  static constexpr int kRows = 8;
  using Loaded = Packed<N, T>;
  const T* x;

  __device__ Loaded load(std::int64_t at) const { return packed<N>(x + at); }
  __device__ void take(float (&v)[N], const Loaded& loaded, std::int64_t) const { unpack<N, T>(v, loaded); }
};

}  // namespace

void sum(CudaStream& stream, const Sum& op) { add_terms(stream, op.out, op.x, Itself{}); }

void squared_norm(CudaStream& stream, const SquaredNorm& op) { add_terms(stream, op.out, op.x, Squared{}); }

void column_sum(CudaStream& stream, const Tensor& out, const Tensor& x) {
  const std::int64_t rows = x.shape[0];
  const std::int64_t columns = x.shape[1];
  assert(out.elements() == columns);
  if (rows == 0) return;
  with_dtype(x.dtype, [&](auto value) {
    using T = decltype(value);
    const bool wide = on_sixteen({x.data}) && columns * static_cast<std::int64_t>(sizeof(T)) % 16 == 0;
    with_lanes<T>(wide, [&](auto lanes) {
      constexpr int kLanes = decltype(lanes)::value;
      add_column_sums<kLanes>(stream, out, Elements<kLanes, T>{data_of<const T>(x)}, rows, columns);
    });
  });
}

}  // namespace trireme::cuda
