// SPDX-License-Identifier: Apache-2.0
// What `trireme plan` prints: for people, and all of it as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>

#include "launch/dry_step.h"
#include "launch/mesh_search.h"

namespace trireme {

inline constexpr std::int64_t kMostPlannedRanks = 16384;

struct PlanReport {
  const RunConfig& config;
  const Machine& machine;
  std::int64_t parameters = 0;
  PlannedMemory memory;
  PlannedStep step;
};

std::string to_text(const PlanReport& report);
nlohmann::json to_json(const PlanReport& report);
std::string to_text(const MeshSearch& search, const Machine& machine);
nlohmann::json to_json(const MeshSearch& search, const Machine& machine);

/// Days that all steps of the run take.
double days_of(const RunConfig& config, const PlannedStep& step);

}  // namespace trireme
