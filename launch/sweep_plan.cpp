// SPDX-License-Identifier: Apache-2.0
#include "launch/sweep_plan.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <thread>

#include "core/base/error.h"
#include "launch/command.h"
#include "launch/host_steps.h"
#include "launch/plan_report.h"
#include "launch/study_design.h"

namespace trireme {
namespace {

constexpr double kMeasuringSeconds = 30;

int measure_on_host(SweepPlan& plan, int threads) {
  return run_in_world([&](World& world) {
    check_usage(world.size() == 1,
                "--plan is one process: start it without mpirun, and say --world {} for as many ranks", world.size());
    const auto measured = measure_runs(world, plan.study, threads, kMeasuringSeconds);
    plan.study.notes.push_back(
        fmt::format("steps of {} of {} runs were measured on this host, with {} thread{} each and nothing beside them; "
                    "the others are modelled and scaled alike",
                    measured, plan.study.runs.size(), threads, threads == 1 ? "" : "s"));
    return 0;
  });
}

}  // namespace

double SweepPlan::rank_seconds() const {
  double sum = 0;
  for (const StudyRun& run : study.runs) sum += run.all_seconds() * static_cast<double>(run.ranks);
  return sum;
}

SweepPlan plan_study(Study study, const Machine& machine, std::int64_t ranks) {
  SweepPlan plan{.study = std::move(study), .machine = machine, .ranks = ranks, .packing = {}, .warnings = {}};
  std::vector<Packet> packets;
  packets.reserve(plan.study.runs.size());
  for (const StudyRun& run : plan.study.runs) packets.push_back({run.ranks, run.all_seconds()});
  plan.packing = pack(packets, ranks);
  plan.warnings = design_warnings(plan.study);
  if (auto warning = interval_warning(plan.study); !warning.empty()) plan.warnings.push_back(std::move(warning));
  return plan;
}

int sweep_plan(const SweepPlanOptions& options) {
  check_usage(options.ranks >= 1 && options.ranks <= kMostPlannedRanks, "--world {}: from 1 to {} ranks can be planned",
              options.ranks, kMostPlannedRanks);
  Problems problems;
  auto study = load_study(options.config, options.sets, false, problems);
  problems.raise();
  const auto given = study.settings.base.cpu.threads;
  const auto cores = std::max<std::int64_t>(1, std::thread::hardware_concurrency());
  const auto threads = static_cast<int>(given > 0 ? given : std::max<std::int64_t>(1, cores / options.ranks));
  Machine machine = find_machine(options.machine, threads);
  const bool host = machine.name == "cpu";
  if (host) machine.memory_bytes /= options.ranks;  // they share this host
  if (options.ranks_per_node > 0) machine.ranks_per_node = options.ranks_per_node;
  size_runs(study, machine, options.ranks, problems);
  problems.raise();
  SweepPlan plan = {
      .study = std::move(study), .machine = machine, .ranks = options.ranks, .packing = {}, .warnings = {}};
  if (host) {
    if (const int code = measure_on_host(plan, threads); code != 0) return code;
  }
  plan = plan_study(std::move(plan.study), machine, options.ranks);
  fmt::print("{}", options.json ? to_json(plan).dump() + "\n" : to_text(plan));
  return 0;
}

}  // namespace trireme
