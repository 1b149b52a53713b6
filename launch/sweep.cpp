// SPDX-License-Identifier: Apache-2.0
// `trireme sweep`: a scaling-law study, planned or run.
#include <boost/program_options/value_semantic.hpp>

#include "core/base/error.h"
#include "launch/commands.h"
#include "launch/coord_check.h"
#include "launch/study.h"
#include "launch/sweep_plan.h"
#include "launch/sweep_run.h"

namespace trireme {
namespace {

/// --describe: every setting of the study; those of `base` are put over base.file and the models' presets.
int describe_study(const std::string& path, const std::vector<std::string>& sets, bool json) {
  Problems problems;
  ConfigNode root;
  if (!path.empty()) root = parse_yaml_file(path, problems);
  for (const auto& set : sets) override_node(root, set, problems);
  StudySettings settings;
  StudySettings standard;
  const auto places = read_fields(root, problems, [&](FieldVisitor& v) { fields(v, settings); });
  problems.raise();
  print_settings([&](FieldVisitor& v) { fields(v, settings); }, [&](FieldVisitor& v) { fields(v, standard); }, places,
                 json);
  return 0;
}

}  // namespace

int sweep_command(std::span<const std::string> arguments) {
  namespace po = boost::program_options;
  CommandLine line{
      "sweep CONFIG [--plan [--world N] [--gpu h200|cpu] | --coord-check]",
      "Runs the scaling-law study of CONFIG: all its runs, several at a time, on the ranks of this job. The "
      "same command again goes on, on any number of ranks. USR1 saves all runs and leaves with exit code "
      "75. With --plan: tells what the study would compute, hold and take on N ranks, and what is doubtful "
      "about its design; nothing is run and nothing is written.",
      po::options_description("Options"),
      {"config"}};
  add_set_option(line.options);
  line.options.add_options()("plan", "tell what the study would take")(
      "world", po::value<std::int64_t>()->default_value(1), "ranks of the allocation")(
      "gpu", po::value<std::string>()->default_value("h100"), "a100, b200, h100, h200; or cpu: this host, measured")(
      "ranks-per-node", po::value<std::int64_t>(), "GPUs that share a node's fast links; default 8, on cpu all")(
      "coord-check",
      "train every width of the study for a few updates, in both parametrizations, and tell and draw how far they move "
      "activations")("retry-failed",
                     "start runs again that have failed for good; not those that diverged, unless by another version")(
      "max-seconds", po::value<double>()->default_value(0), "save and leave before this time is over")(
      "describe", "print every setting with its value and what it means");
  const auto values = parse_command_line(line, arguments);
  if (!values) return 0;
  const bool json = values->count("json") != 0;
  if (values->count("describe") != 0) {
    return describe_study(values->count("config") == 0 ? "" : required(*values, "config"), set_options(*values), json);
  }
  if (values->count("coord-check") != 0) {
    return run_in_world([&](World& world) {
      Study study;
      const auto load = [&] {
        Problems problems;
        study = load_study(required(*values, "config"), set_options(*values), false, problems);
        problems.raise();
      };
      on_rank_zero(world, load);
      if (world.rank() != 0) load();
      return run_coord_check(world, study, json);
    });
  }
  if (values->count("plan") == 0) {
    return sweep_run({.config = required(*values, "config"),
                      .sets = set_options(*values),
                      .start = {.retry_failed = values->count("retry-failed") != 0,
                                .max_seconds = (*values)["max-seconds"].as<double>()},
                      .json = json});
  }
  SweepPlanOptions options{.config = required(*values, "config"),
                           .sets = set_options(*values),
                           .ranks = (*values)["world"].as<std::int64_t>(),
                           .machine = required(*values, "gpu"),
                           .ranks_per_node = 0,
                           .json = json};
  if (values->count("ranks-per-node") != 0) {
    options.ranks_per_node = (*values)["ranks-per-node"].as<std::int64_t>();
    check_usage(options.ranks_per_node >= 1, "--ranks-per-node {}; expected at least 1", options.ranks_per_node);
  }
  return sweep_plan(options);
}

}  // namespace trireme
