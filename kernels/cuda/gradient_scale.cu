// SPDX-License-Identifier: Apache-2.0
// What the optimizer multiplies gradients with.
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/lanes.cuh"

namespace trireme::cuda {
namespace {

__global__ void scale_kernel(float* scale, float* out_norm, const float* norm_squared, const float* count,
                             float expected, float clip) {
  // No target at all: every gradient is zero, and stays so instead of becoming 0 * infinity.
  const float mean = *count > 0.0F ? expected / *count : 0.0F;
  const float norm = sqrtf(*norm_squared) * mean;
  const float clipped = clip > 0.0F && clip < norm + 1e-6F ? clip / (norm + 1e-6F) : 1.0F;
  *out_norm = norm;
  *scale = mean * clipped;
}

}  // namespace

void gradient_scale(CudaStream& stream, const GradientScale& op) {
  scale_kernel<<<1, 1, 0, stream.handle()>>>(data_of<float>(op.scale), data_of<float>(op.norm),
                                             data_of<const float>(op.norm_squared), data_of<const float>(op.count),
                                             op.expected, op.clip);
  check_launch("gradient_scale");
}

}  // namespace trireme::cuda
