// SPDX-License-Identifier: Apache-2.0
// `trireme train`: trains a model, or goes on with it.
#include <boost/program_options/value_semantic.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdio>

#include "core/base/error.h"
#include "core/base/stop.h"
#include "core/train/checkpoint.h"
#include "launch/commands.h"
#include "launch/memory_check.h"
#include "launch/run.h"
#include "launch/train_check.h"
#include "launch/training_run.h"

namespace trireme {

int train_command(std::span<const std::string> arguments) {
  namespace po = boost::program_options;
  CommandLine line{
      "train CONFIG [--set KEY=VALUE ...] [--resume auto|strict|STEP|never]",
      "Trains the model that CONFIG describes. The same command again resumes from the newest checkpoint, on "
      "any number of ranks. USR1 saves and leaves with exit code 75.",
      po::options_description("Options"),
      {"config"}};
  add_set_option(line.options);
  line.options.add_options()(
      "resume", po::value<std::string>()->default_value("auto"),
      "auto: the newest checkpoint that can be read; strict: the newest, or fail; STEP: that one; "
      "never: from the beginning; checkpoints that are there move to quarantine/")(
      "stop-at", po::value<std::int64_t>()->default_value(0), "save and leave with exit code 75 after this step")(
      "max-seconds", po::value<std::string>(), "the same before this time is over; as --set run.max_seconds=...")(
      "check", po::value<std::int64_t>(),
      "tell whether the settings, the data and the run folder let this many ranks start, or all that is wrong, and "
      "stop; "
      "needs no mpirun")(
      "describe",
      "print every setting with the value that CONFIG, --set and the preset give it, and stop; CONFIG may be "
      "left out");
  const auto values = parse_command_line(line, arguments);
  if (!values) return 0;
  if (values->count("describe") != 0) {
    const auto config = values->count("config") != 0 ? required(*values, "config") : std::string();
    return describe_run(config, set_options(*values), values->count("json") != 0);
  }
  TrainOptions options;
  options.config = required(*values, "config");
  options.sets = set_options(*values);
  if (values->count("max-seconds") != 0) {
    options.sets.push_back("run.max_seconds=" + required(*values, "max-seconds"));
  }
  options.stop_at = (*values)["stop-at"].as<std::int64_t>();
  Problems found;  // told together with those of the configuration
  try {
    options.resume = ResumePolicy::parse(required(*values, "resume"));
  } catch (const Error& e) {
    found.add("", e.what());
  }
  if (options.stop_at < 0) found.add("", fmt::format("--stop-at {}; expected a step, or 0 for none", options.stop_at));
  options.json = values->count("json") != 0;
  if (values->count("check") != 0) {
    const auto ranks = (*values)["check"].as<std::int64_t>();
    check_usage(ranks >= 1, "--check {}; expected a number of ranks", ranks);
    return check_run(options, ranks, found);
  }
  listen_for_stop();
  return run_in_world([&](World& world) {
    const auto config = shared_run_config(world, options.config, options.sets, found);
    auto device = make_device(world, engine_config(config));
    check_memory(world, config, *device, {options.config, options.sets});
    std::unique_ptr<FolderLock> lock;  // of rank 0, until the run ends
    on_rank_zero(world, [&] {
      lock = claim_run_folder(config);
      if (!lock->warning().empty()) fmt::print(stderr, "trireme: warning: {}\n", lock->warning());
    });
    TrainingRun run(world, config, {.resume = options.resume, .stop_at = options.stop_at}, std::move(device));
    const auto code = run.run();
    if (world.rank() == 0 && options.json) fmt::print("{}\n", run.summary().dump());
    return static_cast<int>(code);
  });
}

}  // namespace trireme
