// SPDX-License-Identifier: Apache-2.0
#include "launch/sweep_run.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "core/base/stop.h"
#include "core/io/atomic_file.h"
#include "core/scaling/csv.h"
#include "core/scaling/fit_report.h"
#include "core/scaling/study_fit.h"
#include "core/scaling/study_table.h"
#include "core/train/rank_agreement.h"
#include "launch/command.h"
#include "launch/run.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

/// What plans are made for when they are for this device.
Machine machine_of(const World& world, const Device& device) {
  const bool cpu = device.kind() == DeviceKind::cpu;
  auto description = device.description();
  std::ranges::transform(description, description.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::string name = cpu ? "cpu" : "h100";
  for (const auto known : machine_names()) {
    if (!cpu && description.find(known) != std::string::npos) name = known;
  }
  auto machine = find_machine(name, 1);
  machine.ranks_per_node = world.local_size();
  if (cpu) machine.memory_bytes /= world.local_size();  // they share the host
  return machine;
}

/// Which of the table's rows and columns the laws are fitted to.
ColumnChoice choice_of(const StudySettings& settings) {
  const auto column = [](const char* what, std::string_view count) { return fmt::format("{}_{}", what, count); };
  ColumnChoice choice;
  choice.given[ColumnRole::parameters] =
      column("params", kParameterCounts[static_cast<std::size_t>(settings.parameters)]);
  choice.given[ColumnRole::flops] = column("flops", kFlopCounts[static_cast<std::size_t>(settings.flops)]);
  choice.given[ColumnRole::loss] = settings.base.data.validation > 0 ? "validation_loss" : "train_loss";
  choice.only = {{"status", "done"}, {"held_out", "no"}};
  return choice;
}

/// The laws of the study's table: to STUDY/fit.txt and fit.json, and to people. Runs that determine no law are no
/// failure of theirs: why there is none is told.
void fit_results(const Study& study, bool quiet) {
  const auto& settings = study.settings;
  const fs::path folder = settings.folder;
  const auto path = (folder / "results.csv").string();
  const auto problem = problem_of([&] {
    FitOptions options;
    options.bootstrap.resamples = static_cast<int>(settings.fit.resamples);
    options.bootstrap.level = settings.fit.level;
    options.bootstrap.seed = static_cast<std::uint64_t>(settings.fit.seed);
    options.predict_flops = settings.fit.predict;
    const auto table = read_study(read_table(path), choice_of(settings), path);
    check(!table.points.empty(), "no run of it is done");
    const auto fit = fit_study({table.points, table.parameters, table.flops, path}, options);
    write_file_atomic((folder / "fit.txt").string(), to_text(fit));
    write_file_atomic((folder / "fit.json").string(), to_json(fit).dump(1) + "\n");
    if (!quiet) fmt::print("{}", to_text(fit));
  });
  if (!problem.empty()) fmt::print(stderr, "no law is fitted to {}: {}\n", path, problem);
}

void print_json(const Study& study, const StudyOutcome& outcome) {
  const nlohmann::json result = {{"study", study.settings.name},
                                 {"folder", study.settings.folder},
                                 {"runs", outcome.runs},
                                 {"done", outcome.done},
                                 {"failed", outcome.failed},
                                 {"finished", outcome.code != ExitCode::requeue},
                                 {"table", study.settings.folder + "/results.csv"}};
  fmt::print("{}\n", result.dump());
}

}  // namespace

int sweep_run(const SweepRunOptions& options) {
  listen_for_stop();
  return run_in_world([&](World& world) {
    Study study;
    std::string base;
    // A run whose data is missing fails by itself, and is recorded: not a reason to start none.
    on_rank_zero(world, [&] {
      Problems problems;
      study = load_study(options.config, options.sets, false, problems);
      problems.raise();
      base = to_yaml(study.settings.base);
    });
    world.group().host_broadcast(base, 0);
    const std::shared_ptr<Device> device =
        make_device(world, engine_config(resolved_run_config(base, "the study's base settings")));
    on_rank_zero(world, [&] {
      Problems problems;
      size_runs(study, machine_of(world, *device), world.size(), problems);
      problems.raise();
      for (const auto& note : study.notes) fmt::print(stderr, "{}\n", note);
    });
    const auto outcome = run_study(world, study, device, options.start);
    if (world.rank() == 0 && outcome.code != ExitCode::requeue) fit_results(study, options.json);
    if (world.rank() == 0 && options.json) print_json(study, outcome);
    return static_cast<int>(outcome.code);
  });
}

}  // namespace trireme
