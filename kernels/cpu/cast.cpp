// SPDX-License-Identifier: Apache-2.0
// y = x in another dtype.
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/level.h"

namespace trireme::cpu::TRIREME_CPU_LEVEL {

void cast(const Cast& op, int threads) {
  assert(op.x.elements() == op.y.elements());
  with_dtype(op.y.dtype, [&](auto to) {
    using To = decltype(to);
    with_dtype(op.x.dtype, [&](auto from) {
      using From = decltype(from);
      To* y = data_of<To>(op.y);
      const From* x = data_of<From>(op.x);
      by_chunks(op.y.elements(), threads, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
        for (std::int64_t i = begin; i < end; ++i) store(y[i], to_float(x[i]));
      });
    });
  });
}

}  // namespace trireme::cpu::TRIREME_CPU_LEVEL
