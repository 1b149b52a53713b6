// SPDX-License-Identifier: Apache-2.0
#include "launch/train_check.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/model/model.h"
#include "launch/commands.h"
#include "launch/run.h"
#include "launch/run_config.h"

namespace trireme {

int describe_run(const std::string& path, const std::vector<std::string>& sets, bool json) {
  Problems problems;
  auto resolved = load_run_config(path, sets, problems);
  problems.raise();
  const std::vector<std::string> preset = {"model.preset=" + resolved.config.model.preset};
  auto standard = load_run_config("", preset, problems);
  problems.raise();
  if (!json) {
    fmt::print("# model: the preset {} and what replaces it; --json says where each value is from\n",
               resolved.config.model.preset);
  }
  print_settings([&](FieldVisitor& v) { fields(v, resolved.config); },
                 [&](FieldVisitor& v) { fields(v, standard.config); }, resolved.places, json);
  return 0;
}

int check_run(const TrainOptions& options, std::int64_t ranks, const Problems& found) {
  const auto config = checked_run_config(options.config, options.sets, ranks, found);
  Problems of_folder;
  const auto mismatch = run_folder_problem(config);
  const auto missing = resume_problem(checkpoint_folder(config), options.resume);
  if (!mismatch.empty()) of_folder.add("", mismatch);
  if (!missing.empty()) of_folder.add("", "--resume: " + missing);
  of_folder.raise();
  const auto& mesh = config.mesh;
  const auto parameters = Model(config.model.architecture).params().count();
  const auto micro_steps = config.train.global_batch / (config.train.micro_batch * mesh.data());
  if (options.json) {
    const nlohmann::json result = {
        {"ranks", ranks},
        {"mesh", {{"replica", mesh.replica}, {"shard", mesh.shard}, {"tensor", mesh.tensor}}},
        {"parameters", parameters},
        {"micro_steps", micro_steps},
        {"run", config.run.dir}};
    fmt::print("{}\n", result.dump());
    return 0;
  }
  fmt::print(
      "{}: settings and data are valid for {} ranks: mesh {} x {} x {} (replica x shard x tensor), {} parameters, {} "
      "steps of {} micro-steps, run folder {}; nothing was started\n",
      options.config, ranks, mesh.replica, mesh.shard, mesh.tensor, parameters, config.train.steps, micro_steps,
      config.run.dir);
  return 0;
}

}  // namespace trireme
