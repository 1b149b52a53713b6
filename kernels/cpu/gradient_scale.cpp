// SPDX-License-Identifier: Apache-2.0
// What the optimizer multiplies gradients with.
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/level.h"

namespace trireme::cpu::TRIREME_CPU_LEVEL {
namespace {

// Whether the update is not to be made. One that is made enters the means.
bool judge(const GradientScale::Guard& guard, float loss, float norm) {
  auto* state = data_of<float>(guard.state);
  const bool judged = state[2] >= guard.window;
  const bool skipped = !__builtin_isfinite(loss) || !__builtin_isfinite(norm) ||
                       (judged && guard.loss_factor > 0.0F && loss > guard.loss_factor * state[0]) ||
                       (judged && guard.norm_factor > 0.0F && norm > guard.norm_factor * state[1]);
  state[3] = skipped ? 1.0F : 0.0F;
  if (skipped) return true;
  if (!judged) state[2] += 1.0F;
  state[0] += (loss - state[0]) / state[2];
  state[1] += (norm - state[1]) / state[2];
  return false;
}

}  // namespace

void gradient_scale(const GradientScale& op, int /*threads*/) {
  const float count = data_of<float>(op.count)[0];
  // No target at all: every gradient is zero, and stays so instead of becoming 0 * infinity.
  const float mean = count > 0.0F ? op.expected / count : 0.0F;
  const float norm = __builtin_sqrtf(data_of<float>(op.norm_squared)[0]) * mean;
  const float clipped = op.clip > 0.0F && op.clip < norm + 1e-6F ? op.clip / (norm + 1e-6F) : 1.0F;
  data_of<float>(op.norm)[0] = norm;
  const bool skipped = op.guard.state && judge(op.guard, data_of<float>(op.guard.loss_sum)[0] / count, norm);
  data_of<float>(op.scale)[0] = skipped ? kSkippedUpdate : mean * clipped;
}

}  // namespace trireme::cpu::TRIREME_CPU_LEVEL
