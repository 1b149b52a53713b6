// SPDX-License-Identifier: Apache-2.0
// y = a + b.
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/level.h"

namespace trireme::cpu::TRIREME_CPU_LEVEL {

void add(const Add& op, int threads) {
  assert(op.a.elements() == op.y.elements() && op.b.elements() == op.y.elements());
  with_dtype(op.y.dtype, [&](auto value) {
    using T = decltype(value);
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
