// SPDX-License-Identifier: Apache-2.0
// SwiGLU: y = silu(gate) * up.
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/level.h"

namespace trireme::cpu::TRIREME_CPU_LEVEL {

void swiglu(const SwiGlu& op, int threads) {
  const std::int64_t rows = op.y.shape[0];
  const std::int64_t width = op.y.shape[1];
  assert(op.gate_up.shape == (Shape{rows, 2 * width}));
  with_dtype(op.y.dtype, [&](auto value) {
    using T = decltype(value);
    T* y = data_of<T>(op.y);
    const T* gate_up = data_of<T>(op.gate_up);
#pragma omp parallel for schedule(static) num_threads(threads) if (rows * width > 8192)
    for (std::int64_t row = 0; row < rows; ++row) {
      const T* gate = gate_up + row * 2 * width;
      const T* up = gate + width;
      T* out = y + row * width;
#pragma omp simd
      for (std::int64_t i = 0; i < width; ++i) {
        const float g = to_float(gate[i]);
        store(out[i], g * sigmoid(g) * to_float(up[i]));
      }
    }
  });
}

void swiglu_backward(const SwiGluBackward& op, int threads) {
  const std::int64_t rows = op.dy.shape[0];
  const std::int64_t width = op.dy.shape[1];
  assert(op.gate_up.shape == (Shape{rows, 2 * width}) && op.d_gate_up.shape == op.gate_up.shape);
  with_dtype(op.dy.dtype, [&](auto value) {
    using T = decltype(value);
    T* d_gate_up = data_of<T>(op.d_gate_up);
    const T* dy = data_of<T>(op.dy);
    const T* gate_up = data_of<T>(op.gate_up);
#pragma omp parallel for schedule(static) num_threads(threads) if (rows * width > 8192)
    for (std::int64_t row = 0; row < rows; ++row) {
      const T* gate = gate_up + row * 2 * width;
      const T* up = gate + width;
      const T* d = dy + row * width;
      T* d_gate = d_gate_up + row * 2 * width;
      T* d_up = d_gate + width;
#pragma omp simd
      for (std::int64_t i = 0; i < width; ++i) {
        const float g = to_float(gate[i]);
        const float s = sigmoid(g);
        const float dv = to_float(d[i]);
        const float u = to_float(up[i]);
        store(d_gate[i], dv * u * s * (1.0F + g * (1.0F - s)));
        store(d_up[i], dv * g * s);
      }
    }
  });
}

}  // namespace trireme::cpu::TRIREME_CPU_LEVEL
