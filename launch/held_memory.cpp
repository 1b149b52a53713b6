// SPDX-License-Identifier: Apache-2.0
#include "launch/held_memory.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <optional>

#include "kernels/kernels.h"
#include "launch/dry_step.h"

namespace trireme {
namespace {

/// That of the table whose name is in the device's, in capitals: "NVIDIA H200, ..." is an h200.
std::optional<Machine> machine_of(const Device& device) {
  const std::string text = device.description();
  for (const auto name : machine_names()) {
    std::string capitals(name);
    std::ranges::transform(capitals, capitals.begin(), [](unsigned char c) { return std::toupper(c); });
    if (text.find(capitals) != std::string::npos) return find_machine(name, 1);
  }
  return std::nullopt;
}

}  // namespace

void HeldMemory::note(const char* stage, const Device& device) {
  if (device.kind() == DeviceKind::cuda) at_[stage] = held_ = cuda_total_bytes(device) - available_bytes(device);
}

void HeldMemory::tell(nlohmann::json& result, const RunConfig& config, const Device& device) const {
  if (at_.empty()) return;
  const auto machine = machine_of(device);
  DryRun run(config, machine ? *machine : find_machine("h200", 1));  // bytes are the same on all GPUs
  const PlannedMemory planned = run.memory();
  result["memory_held"] = held_;
  result["memory_held_at"] = at_;
  result["memory_planned"] = planned.all();
  result["memory_allocated"] = device.allocated_bytes(MemoryKind::device);
  result["memory_allocated_planned"] = planned.device;
  if (machine) result["seconds_planned"] = run.step().seconds;
}

}  // namespace trireme
