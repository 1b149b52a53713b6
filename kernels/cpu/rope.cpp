// SPDX-License-Identifier: Apache-2.0
// Rotary positions.
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/level.h"

namespace trireme::cpu::TRIREME_CPU_LEVEL {

void rope(const Rope& op, int threads) {
  const std::int64_t rows = op.x.shape[0];
  const std::int64_t heads = op.x.shape[1];
  const std::int64_t size = op.x.shape[2];
  const std::int64_t half = size / 2;
  assert(size % 2 == 0 && op.cos_sin.shape[1] == size && op.positions.elements() == rows && op.rotated_heads <= heads);
  const auto* positions = data_of<std::int32_t>(op.positions);
  const auto* cos_sin = data_of<float>(op.cos_sin);
  const float sign = op.inverse ? -1.0F : 1.0F;
  with_dtype(op.x.dtype, [&](auto value) {
    using T = decltype(value);
    T* x = data_of<T>(op.x);
#pragma omp parallel for schedule(static) num_threads(threads) if (rows * heads * size > 8192)
    for (std::int64_t row = 0; row < rows; ++row) {
      assert(positions[row] >= 0 && positions[row] < op.cos_sin.shape[0]);
      const float* cosine = cos_sin + positions[row] * size;
      const float* sine = cosine + half;
      for (std::int64_t head = 0; head < op.rotated_heads; ++head) {
        T* first = x + (row * heads + head) * size;
        T* second = first + half;
#pragma omp simd
        for (std::int64_t i = 0; i < half; ++i) {
          const float a = to_float(first[i]);
          const float b = to_float(second[i]);
          const float s = sign * sine[i];
          store(first[i], a * cosine[i] - b * s);
          store(second[i], b * cosine[i] + a * s);
        }
      }
    }
  });
}

}  // namespace trireme::cpu::TRIREME_CPU_LEVEL
