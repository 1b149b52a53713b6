// SPDX-License-Identifier: Apache-2.0
// GELU in its tanh form, and its gradient.
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
    map(stream, data_of<T>(op.dx), data_of<const T>(op.x), data_of<const T>(op.dy), op.x.elements(), Backward{});
  });
  // A pass of its own: a kernel that does both has too few loads under way, and took longer than the two.
  if (op.d_bias && op.x.elements() > 0) column_sum(stream, op.d_bias, op.dx);
}

}  // namespace trireme::cuda
