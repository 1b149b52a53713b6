// SPDX-License-Identifier: Apache-2.0
// What the optimizer multiplies gradients with.
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/level.h"

namespace trireme::cpu::TRIREME_CPU_LEVEL {

void gradient_scale(const GradientScale& op, int /*threads*/) {
  const float count = data_of<float>(op.count)[0];
  // No target at all: every gradient is zero, and stays so instead of becoming 0 * infinity.
  const float mean = count > 0.0F ? op.expected / count : 0.0F;
  const float norm = __builtin_sqrtf(data_of<float>(op.norm_squared)[0]) * mean;
  const float clipped = op.clip > 0.0F && op.clip < norm + 1e-6F ? op.clip / (norm + 1e-6F) : 1.0F;
  data_of<float>(op.norm)[0] = norm;
  data_of<float>(op.scale)[0] = mean * clipped;
}

}  // namespace trireme::cpu::TRIREME_CPU_LEVEL
