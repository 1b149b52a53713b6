// SPDX-License-Identifier: Apache-2.0
// `trireme plan`: memory, traffic and time of one rank, without running anything.
#include <boost/program_options/value_semantic.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <thread>

#include "core/base/error.h"
#include "launch/commands.h"
#include "launch/dry_step.h"
#include "launch/mesh_search.h"
#include "launch/plan_report.h"

namespace trireme {
namespace {

/// The settings, valid for this many ranks; data is read only when the vocabulary is left to it. For a search, the
/// micro-batch is open, and so are (0) the axes of the mesh that were not given.
RunConfig planned_config(const std::string& path, const std::vector<std::string>& sets, std::int64_t ranks,
                         bool search) {
  Problems problems;
  auto loaded = load_run_config(path, sets, problems);
  auto& config = loaded.config;
  const bool has_data = !config.data.shards.empty();
  if (!has_data) config.data.shards = {"none"};
  MeshShape held{.replica = 0, .shard = 0, .tensor = 0};
  if (search) {
    if (loaded.places.contains("mesh.replica")) held.replica = config.mesh.replica;
    if (loaded.places.contains("mesh.shard")) held.shard = config.mesh.shard;
    if (loaded.places.contains("mesh.tensor")) held.tensor = config.mesh.tensor;
    config.mesh = {};
    config.train.micro_batch = 1;
  }
  validate(loaded, search ? 1 : ranks, problems);
  auto& vocabulary = config.model.architecture.vocabulary;
  if (vocabulary == 0 && !has_data) {
    problems.add("model.vocabulary",
                 "0 leaves it to the data, and data.shards is empty; give it, e.g. with --set "
                 "model.vocabulary=50257");
  }
  problems.raise();
  if (search) config.mesh = held;
  if (vocabulary == 0) {
    vocabulary = static_cast<std::int64_t>(describe_loader(loader_config(config, Split::train)).vocabulary);
  }
  return config;
}

int plan_one(const RunConfig& config, const Machine& machine, bool json) {
  DryRun run(config, machine);
  const PlanReport report{
      .config = config, .machine = machine, .parameters = run.parameters(), .memory = run.memory(), .step = run.step()};
  fmt::print("{}", json ? to_json(report).dump() + "\n" : to_text(report));
  return 0;
}

int plan_search(const RunConfig& config, const Machine& machine, std::int64_t ranks, bool json) {
  const auto search = search_meshes(config, machine, ranks, 10);
  check_usage(search.considered > 0,
              "no mesh of {} ranks has the axes of mesh.* that are given, a number of data ranks that divides "
              "train.global_batch = {} and a tensor axis that can split the model within {} ranks of a node; choose "
              "another --world, mesh or train.global_batch",
              ranks, config.train.global_batch, machine.ranks_per_node);
  check_usage(
      !search.best.empty(),
      "none of {} combinations of mesh, sharding, micro-batch and recomputation fits into {}'s {:.1f} GiB on {} "
      "ranks; the smallest takes {:.1f} GiB: use more ranks, a shorter train.sequence or a larger global_batch",
      search.considered, machine.name, static_cast<double>(machine.memory_bytes - machine.reserved_bytes) / (1 << 30),
      ranks, static_cast<double>(search.least_bytes) / (1 << 30));
  fmt::print("{}", json ? to_json(search, machine).dump() + "\n" : to_text(search, machine));
  return 0;
}

}  // namespace

int plan_command(std::span<const std::string> arguments) {
  namespace po = boost::program_options;
  CommandLine line{"plan CONFIG --world N [--gpu h100]",
                   "Tells what one of N ranks would hold, compute and send in a training step of CONFIG, and how long "
                   "it should take, by running the step on a device that only counts. Nothing is written.",
                   po::options_description("Options"),
                   {"config"}};
  add_set_option(line.options);
  line.options.add_options()("world", po::value<std::int64_t>()->default_value(1), "ranks")(
      "gpu", po::value<std::string>()->default_value("h100"), "a100, b200, h100, h200; or cpu: this host, measured")(
      "ranks-per-node", po::value<std::int64_t>(), "GPUs that share a node's fast links; default 8, on cpu all")(
      "search",
      "try every mesh that CONFIG leaves open, sharding, micro-batch and recomputation, and print the fastest that "
      "fit");
  const auto values = parse_command_line(line, arguments);
  if (!values) return 0;
  const auto ranks = (*values)["world"].as<std::int64_t>();
  check_usage(ranks >= 1 && ranks <= kMostPlannedRanks, "--world {}: from 1 to {} ranks can be planned", ranks,
              kMostPlannedRanks);
  const bool search = values->count("search") != 0;
  const auto config = planned_config(required(*values, "config"), set_options(*values), ranks, search);
  const auto threads = config.cpu.threads > 0 ? config.cpu.threads : std::thread::hardware_concurrency() / ranks;
  Machine machine = find_machine(required(*values, "gpu"), static_cast<int>(std::max<std::int64_t>(1, threads)));
  if (machine.name == "cpu") machine.memory_bytes /= ranks;  // they share this host
  if (values->count("ranks-per-node") != 0) {
    machine.ranks_per_node = (*values)["ranks-per-node"].as<std::int64_t>();
    check_usage(machine.ranks_per_node >= 1, "--ranks-per-node {}; expected at least 1", machine.ranks_per_node);
  }
  const bool json = values->count("json") != 0;
  return search ? plan_search(config, machine, ranks, json) : plan_one(config, machine, json);
}

}  // namespace trireme
