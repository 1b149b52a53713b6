// SPDX-License-Identifier: Apache-2.0
// GELU in its tanh form, and its gradient.
#include "kernels/cuda/column_sums.cuh"
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/kernels.h"

namespace trireme::cuda {
namespace {

constexpr float kTwiceRoot = 1.5957691216057308F;  // 2 sqrt(2/pi): 0.5 (1 + tanh(z)) is the sigmoid of 2 z
constexpr float kCubic = 0.044715F;

/// By the hardware's exponential and reciprocal: within (4 + 3 |z|) 2^-24 of s (1 - s) and 3 * 2^-24 of 1. With the
/// exact ones the arithmetic takes longer than the memory.
__device__ float sigmoid(float z) { return __fdividef(1.0F, 1.0F + __expf(-z)); }

struct Forward {
  __device__ float operator()(float x, float) const { return x * sigmoid(kTwiceRoot * (x + kCubic * x * x * x)); }
};
struct Backward {
  __device__ float operator()(float x, float dy) const {
    const float s = sigmoid(kTwiceRoot * (x + kCubic * x * x * x));
    const float slope = kTwiceRoot * (1.0F + 3.0F * kCubic * x * x);
    return dy * (s + x * slope * s * (1.0F - s));
  }
};

/// dx, which is written, and is what enters the sums: as it is stored.
template <int N, class T>
struct SummedBackward {
  static constexpr int kRows = 4;
  struct Loaded {
    Packed<N, T> x, dy;
  };
  T* dx;
  const T* x;
  const T* dy;

  __device__ Loaded load(std::int64_t at) const { return {packed<N>(x + at), packed<N>(dy + at)}; }
  __device__ void take(float (&v)[N], const Loaded& loaded, std::int64_t at) const {
    float by[N];
    unpack<N, T>(v, loaded.x);
    unpack<N, T>(by, loaded.dy);
    T raw[N];
#pragma unroll
    for (int i = 0; i < N; ++i) store(raw[i], Backward{}(v[i], by[i]));
    Packed<N, T> word;
    memcpy(&word, raw, sizeof word);
    *reinterpret_cast<Packed<N, T>*>(dx + at) = word;
    unpack<N, T>(v, word);
  }
};

}  // namespace

void gelu(CudaStream& stream, const Gelu& op) {
  with_dtype(op.x.dtype, [&](auto value) {
    using T = decltype(value);
    map(stream, data_of<T>(op.y), data_of<const T>(op.x), static_cast<const T*>(nullptr), op.x.elements(), Forward{});
  });
}

void gelu_backward(CudaStream& stream, const GeluBackward& op) {
  with_dtype(op.x.dtype, [&](auto value) {
    using T = decltype(value);
    if (op.d_bias && op.x.elements() > 0) {
      const std::int64_t columns = op.x.shape[1];
      assert(op.d_bias.elements() == columns);
      const bool wide =
          on_sixteen({op.dx.data, op.x.data, op.dy.data}) && columns * static_cast<std::int64_t>(sizeof(T)) % 16 == 0;
      with_lanes<T>(wide, [&](auto lanes) {
        constexpr int kLanes = decltype(lanes)::value;
        const SummedBackward<kLanes, T> source{data_of<T>(op.dx), data_of<const T>(op.x), data_of<const T>(op.dy)};
        add_column_sums<kLanes>(stream, op.d_bias, source, op.x.shape[0], columns);
      });
      return;
    }
    map(stream, data_of<T>(op.dx), data_of<const T>(op.x), data_of<const T>(op.dy), op.x.elements(), Backward{});
  });
}

}  // namespace trireme::cuda
