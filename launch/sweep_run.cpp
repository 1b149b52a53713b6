// SPDX-License-Identifier: Apache-2.0
#include "launch/sweep_run.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "core/base/stop.h"
#include "core/io/atomic_file.h"
#include "core/train/rank_agreement.h"
#include "launch/command.h"
#include "launch/results_h5.h"
#include "launch/run.h"
#include "launch/study_law.h"
#include "launch/study_page.h"

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

/// What the study was started with: its file, and what was set over it.
std::string configuration_of(const SweepRunOptions& options) {
  constexpr std::uint64_t kLongest = std::uint64_t{16} << 20U;
  auto text = read_file(options.config, kLongest);
  for (const auto& set : options.sets) text += "# --set " + set + "\n";
  return text;
}

/// What the study found: its laws to STUDY/fit.txt and fit.json, and to people; all of it to STUDY/report.html. Runs
/// that determine no law are no failure of theirs: why there is none is told.
void tell_findings(const Study& study, const StudySurroundings& surroundings, bool quiet) {
  const fs::path folder = study.settings.folder;
  Outcome<StudyLaw> law;
  law.refused = problem_of([&] {
    law.fit = fit_results(study);
    write_file_atomic((folder / "fit.txt").string(), to_text(*law.fit));
    write_file_atomic((folder / "fit.json").string(), to_json(*law.fit).dump(1) + "\n");
    if (!quiet) fmt::print("{}", to_text(*law.fit));
  });
  if (!law.refused.empty()) {
    fmt::print(stderr, "no law is fitted to {}/results.csv: {}\n", folder.string(), law.refused);
  }
  write_report(study_page(study, law, surroundings), folder.string());
  if (!quiet) fmt::print("\nreport: {}\n", (folder / "report.html").string());
}

void print_json(const Study& study, const StudyOutcome& outcome) {
  const nlohmann::json result = {{"study", study.settings.name},
                                 {"folder", study.settings.folder},
                                 {"runs", outcome.runs},
                                 {"done", outcome.done},
                                 {"failed", outcome.failed},
                                 {"finished", outcome.code != ExitCode::requeue},
                                 {"table", study.settings.folder + "/results.csv"},
                                 {"report", study.settings.folder + "/report.html"}};
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
    if (world.rank() == 0) {
      const StudySurroundings surroundings{configuration_of(options), machine_facts(world, *device)};
      write_results_h5(study, surroundings.configuration);
      if (outcome.code != ExitCode::requeue) tell_findings(study, surroundings, options.json);
    }
    if (world.rank() == 0 && options.json) print_json(study, outcome);
    return static_cast<int>(outcome.code);
  });
}

}  // namespace trireme
