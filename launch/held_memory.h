// SPDX-License-Identifier: Apache-2.0
// What a GPU really holds and takes in a benchmark, beside what the plan says of it.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <map>
#include <string>

#include "core/base/device.h"
#include "launch/run_config.h"

namespace trireme {

class HeldMemory {
 public:
  /// Notes what the device holds now, after this stage, whoever has taken it. Nothing of a CPU.
  void note(const char* stage, const Device& device);
  /// Adds its fields to a benchmark's, of a GPU: `memory_held` in the end, and at each stage; `memory_allocated`, what
  /// Trireme has of it; the plan of both; and, of a GPU in the table of machines, `seconds_planned`.
  void tell(nlohmann::json& result, const RunConfig& config, const Device& device) const;

 private:
  std::map<std::string, std::int64_t> at_;
  std::int64_t held_ = 0;
};

}  // namespace trireme
