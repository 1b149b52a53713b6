// SPDX-License-Identifier: Apache-2.0
// `trireme sweep CONFIG --plan`: what a study would compute, hold and take, before it is started.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/kernels.h"
#include "launch/packing.h"
#include "launch/study.h"

namespace trireme {

struct SweepPlan {
  Study study;  // with its runs sized
  Machine machine;
  std::int64_t ranks = 1;
  Packing packing;  // of study.runs, each with its branches behind it
  std::vector<std::string> warnings;

  /// Rank-seconds of all runs.
  double rank_seconds() const;
};

/// Packs the sized runs and judges the design.
SweepPlan plan_study(Study study, const Machine& machine, std::int64_t ranks);

std::string to_text(const SweepPlan& plan);
nlohmann::json to_json(const SweepPlan& plan);

/// What --plan is told.
struct SweepPlanOptions {
  std::string config;
  std::vector<std::string> sets;
  std::int64_t ranks = 1;
  std::string machine = "h100";     // or "cpu": this host, whose steps are measured
  std::int64_t ranks_per_node = 0;  // 0: the machine's
  bool json = false;
};

/// Prints the plan; the exit code. Throws Error(usage) with all that is wrong with the study.
int sweep_plan(const SweepPlanOptions& options);

}  // namespace trireme
