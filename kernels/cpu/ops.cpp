// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/ops.h"

#include "core/base/error.h"
#include "kernels/cpu/device.h"
#include "kernels/cpu/stream.h"

namespace trireme {
namespace cpu {

void CpuOps::run(Stream& stream, const Linear& op) const {
  static_cast<CpuStream&>(stream).enqueue([matmul = matmul_, op, threads = threads_] { linear(*matmul, op, threads); });
}

void CpuOps::run(Stream& stream, const LinearBackwardInput& op) const {
  static_cast<CpuStream&>(stream).enqueue(
      [matmul = matmul_, op, threads = threads_] { linear_backward_input(*matmul, op, threads); });
}

void CpuOps::run(Stream& stream, const LinearBackwardWeight& op) const {
  static_cast<CpuStream&>(stream).enqueue([matmul = matmul_, kernels = &kernels_, op, threads = threads_] {
    linear_backward_weight(*matmul, *kernels, op, threads);
  });
}

}  // namespace cpu

std::unique_ptr<Ops> make_cpu_ops(Device& device) {
  auto* cpu_device = dynamic_cast<cpu::CpuDevice*>(&device);
  check(cpu_device != nullptr, "CPU operations need a CPU device, got '{}'", device.description());
  return std::make_unique<cpu::CpuOps>(cpu_device->threads(), cpu::best_kernel_table());
}

}  // namespace trireme
