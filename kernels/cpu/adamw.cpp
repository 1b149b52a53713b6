// SPDX-License-Identifier: Apache-2.0
// AdamW on a flat range: masters and moments in fp32, and the bf16 copy that the next step computes with.
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/level.h"

namespace trireme::cpu::TRIREME_CPU_LEVEL {

void adamw(const AdamW& op, int threads) {
  const std::int64_t n = op.master.elements();
  assert(op.first.elements() == n && op.second.elements() == n && op.gradient.elements() == n && op.step >= 1);
  assert(!op.copy || op.copy.elements() == n);
  auto* master = data_of<float>(op.master);
  auto* first = data_of<float>(op.first);
  auto* second = data_of<float>(op.second);
  const auto* gradient = data_of<float>(op.gradient);
  auto* copy = data_of<Bf16>(op.copy);
  const auto step = static_cast<double>(op.step);
  const double correction1 = 1.0 - __builtin_pow(static_cast<double>(op.beta1), step);
  const double correction2 = 1.0 - __builtin_pow(static_cast<double>(op.beta2), step);
  const float scale = data_of<float>(op.scale)[0];
  if (scale == kSkippedUpdate) return;
  const float beta1 = op.beta1;
  const float beta2 = op.beta2;
  const float rest1 = 1.0F - beta1;
  const float rest2 = 1.0F - beta2;
  const float rate = static_cast<float>(static_cast<double>(op.lr) / correction1);
  const float root_correction = static_cast<float>(1.0 / __builtin_sqrt(correction2));
  const float decay = 1.0F - op.lr * op.weight_decay;
  const float eps = op.eps;
  by_chunks(n, threads, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) {
      const float g = gradient[i] * scale;
      const float m = beta1 * first[i] + rest1 * g;
      const float v = beta2 * second[i] + rest2 * g * g;
      first[i] = m;
      second[i] = v;
      master[i] = master[i] * decay - rate * m / (__builtin_sqrtf(v) * root_correction + eps);
    }
    if (copy != nullptr) {
#pragma omp simd
      for (std::int64_t i = begin; i < end; ++i) store(copy[i], master[i]);
    }
  });
}

}  // namespace trireme::cpu::TRIREME_CPU_LEVEL
