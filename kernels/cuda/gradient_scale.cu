// SPDX-License-Identifier: Apache-2.0
// What the optimizer multiplies gradients with.
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/lanes.cuh"

namespace trireme::cuda {
namespace {

struct Judgement {
  const float* loss_sum;
  float* state;
  float loss_factor, norm_factor, window;
};

// Whether the update is not to be made. One that is made enters the means.
__device__ bool judge(const Judgement& guard, float loss, float norm) {
  float* state = guard.state;
  const bool judged = state[2] >= guard.window;
  const bool skipped = !isfinite(loss) || !isfinite(norm) ||
                       (judged && guard.loss_factor > 0.0F && loss > guard.loss_factor * state[0]) ||
                       (judged && guard.norm_factor > 0.0F && norm > guard.norm_factor * state[1]);
  state[3] = skipped ? 1.0F : 0.0F;
  if (skipped) return true;
  if (!judged) state[2] += 1.0F;
  state[0] += (loss - state[0]) / state[2];
  state[1] += (norm - state[1]) / state[2];
  return false;
}

__global__ void scale_kernel(float* scale, float* out_norm, const float* norm_squared, const float* count,
                             float expected, float clip, const Judgement guard) {
  // No target at all: every gradient is zero, and stays so instead of becoming 0 * infinity.
  const float mean = *count > 0.0F ? expected / *count : 0.0F;
  const float norm = sqrtf(*norm_squared) * mean;
  const float clipped = clip > 0.0F && clip < norm + 1e-6F ? clip / (norm + 1e-6F) : 1.0F;
  *out_norm = norm;
  const bool skipped = guard.state != nullptr && judge(guard, *guard.loss_sum / *count, norm);
  *scale = skipped ? kSkippedUpdate : mean * clipped;
}

}  // namespace

void gradient_scale(CudaStream& stream, const GradientScale& op) {
  const Judgement guard{.loss_sum = data_of<const float>(op.guard.loss_sum),
                        .state = data_of<float>(op.guard.state),
                        .loss_factor = op.guard.loss_factor,
                        .norm_factor = op.guard.norm_factor,
                        .window = op.guard.window};
  scale_kernel<<<1, 1, 0, stream.handle()>>>(data_of<float>(op.scale), data_of<float>(op.norm),
                                             data_of<const float>(op.norm_squared), data_of<const float>(op.count),
                                             op.expected, op.clip, guard);
  check_launch("gradient_scale");
}

}  // namespace trireme::cuda
