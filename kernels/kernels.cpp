// SPDX-License-Identifier: Apache-2.0
#include "kernels/kernels.h"

#include <algorithm>
#include <limits>

#include "kernels/cpu/available_memory.h"

namespace trireme {

std::int64_t available_bytes(const Device& device) {
  switch (device.kind()) {
    case DeviceKind::cuda:
      return cuda_available_bytes(device);
    case DeviceKind::dry: {
      const auto& dry = static_cast<const DryDevice&>(device);
      const Machine& machine = dry.machine();
      return machine.memory_bytes - machine.reserved_bytes -
             static_cast<std::int64_t>(dry.allocated_bytes(MemoryKind::device));
    }
    case DeviceKind::cpu:
      break;
  }
  constexpr auto kMost = static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max());
  return static_cast<std::int64_t>(std::min(cpu::available_memory(), kMost));
}

}  // namespace trireme
