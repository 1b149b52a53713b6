// SPDX-License-Identifier: Apache-2.0
// Linear layers by matrix products.
#pragma once

#include "core/base/ops.h"
#include "kernels/cuda/matmul.h"

namespace trireme::cuda {

void linear(Matmul& matmul, CudaStream& stream, const Linear& op);
void linear_backward_input(Matmul& matmul, CudaStream& stream, const LinearBackwardInput& op);
void linear_backward_weight(Matmul& matmul, CudaStream& stream, const LinearBackwardWeight& op);

}  // namespace trireme::cuda
