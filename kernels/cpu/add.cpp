// SPDX-License-Identifier: Apache-2.0
// y = a + b (+ bias).
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/level.h"

namespace trireme::cpu::TRIREME_CPU_LEVEL {

namespace {

template <class T>
void add_with_bias(const Add& op, int threads) {
  const std::int64_t width = op.bias.elements();
  const std::int64_t rows = op.y.shape[0];
  assert(op.y.elements() == rows * width);
  const T* bias = data_of<T>(op.bias);
#pragma omp parallel for schedule(static) num_threads(threads) if (rows * width > 8192)
  for (std::int64_t row = 0; row < rows; ++row) {
    T* y = data_of<T>(op.y) + row * width;
    const T* a = data_of<T>(op.a) + row * width;
    const T* b = data_of<T>(op.b) + row * width;
#pragma omp simd
    for (std::int64_t i = 0; i < width; ++i) store(y[i], to_float(a[i]) + to_float(b[i]) + to_float(bias[i]));
  }
}

}  // namespace

void add(const Add& op, int threads) {
  assert(op.a.elements() == op.y.elements() && op.b.elements() == op.y.elements());
  with_dtype(op.y.dtype, [&](auto value) {
    using T = decltype(value);
    if (op.bias) {
      add_with_bias<T>(op, threads);
      return;
    }
    T* y = data_of<T>(op.y);
    const T* a = data_of<T>(op.a);
    const T* b = data_of<T>(op.b);
    by_chunks(op.y.elements(), threads, [=](std::int64_t begin, std::int64_t end) {
    // y may be a or b, but then element by element: no iteration reads what another writes.
#pragma omp simd
      for (std::int64_t i = begin; i < end; ++i) store(y[i], to_float(a[i]) + to_float(b[i]));
    });
  });
}

}  // namespace trireme::cpu::TRIREME_CPU_LEVEL
