// SPDX-License-Identifier: Apache-2.0
// GELU in its tanh form, written as x * sigmoid(2u): the same function, without a tanh and its cancellation.
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/level.h"

namespace trireme::cpu::TRIREME_CPU_LEVEL {
namespace {

constexpr float kTwoRootTwoOverPi = 1.5957691216057308F;
constexpr float kCubic = 0.044715F;

}  // namespace

void gelu(const Gelu& op, int threads) {
  assert(op.x.elements() == op.y.elements());
  with_dtype(op.y.dtype, [&](auto value) {
    using T = decltype(value);
    T* y = data_of<T>(op.y);
    const T* x = data_of<T>(op.x);
    by_chunks(op.y.elements(), threads, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
      for (std::int64_t i = begin; i < end; ++i) {
        const float v = to_float(x[i]);
        store(y[i], v * sigmoid(kTwoRootTwoOverPi * (v + kCubic * v * v * v)));
      }
    });
  });
}

void gelu_backward(const GeluBackward& op, int threads) {
  assert(op.x.elements() == op.dx.elements() && op.dy.elements() == op.dx.elements());
  with_dtype(op.dx.dtype, [&](auto value) {
    using T = decltype(value);
    T* dx = data_of<T>(op.dx);
    const T* dy = data_of<T>(op.dy);
    const T* x = data_of<T>(op.x);
    by_chunks(op.dx.elements(), threads, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
      for (std::int64_t i = begin; i < end; ++i) {
        const float v = to_float(x[i]);
        const float s = sigmoid(kTwoRootTwoOverPi * (v + kCubic * v * v * v));
        const float slope = s + v * s * (1.0F - s) * (kTwoRootTwoOverPi * (1.0F + 3.0F * kCubic * v * v));
        store(dx[i], to_float(dy[i]) * slope);
      }
    });
  });
  if (op.d_bias && op.dx.elements() > 0) column_sum({.out = op.d_bias, .x = op.dx}, threads);
}

}  // namespace trireme::cpu::TRIREME_CPU_LEVEL
