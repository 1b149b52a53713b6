// SPDX-License-Identifier: Apache-2.0
// The linear family, in terms of matrix products and column sums.
#pragma once

#include "core/base/ops.h"
#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/matmul.h"

namespace trireme::cpu {

void linear(Matmul& matmul, const Linear& op, int threads);
void linear_backward_input(Matmul& matmul, const LinearBackwardInput& op, int threads);
void linear_backward_weight(Matmul& matmul, const KernelTable& kernels, const LinearBackwardWeight& op, int threads);

}  // namespace trireme::cpu
