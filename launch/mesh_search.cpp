// SPDX-License-Identifier: Apache-2.0
#include "launch/mesh_search.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <tuple>

namespace trireme {
namespace {

std::int64_t share_of(const RunConfig& config) { return config.train.global_batch / config.mesh.data(); }

/// All meshes of `ranks` that this model and batch allow, with the axes that are given.
std::vector<MeshShape> possible_meshes(const RunConfig& config, std::int64_t ranks, std::int64_t ranks_per_node) {
  const MeshShape& given = config.mesh;
  const auto held = [](std::int64_t axis, std::int64_t size) { return axis == 0 || axis == size; };
  std::vector<MeshShape> meshes;
  for (std::int64_t tensor = 1; tensor <= std::min(ranks, ranks_per_node); ++tensor) {
    if (ranks % tensor != 0 || (ranks > ranks_per_node && ranks_per_node % tensor != 0)) continue;
    if (!tensor_problem(config.model.architecture, tensor).empty()) continue;
    for (std::int64_t shard = 1; shard <= ranks / tensor; ++shard) {
      const MeshShape mesh{.replica = ranks / tensor / shard, .shard = shard, .tensor = tensor};
      if (!held(given.replica, mesh.replica) || !held(given.shard, shard) || !held(given.tensor, tensor)) continue;
      if (mesh.ranks() == ranks && config.train.global_batch % mesh.data() == 0) meshes.push_back(mesh);
    }
  }
  return meshes;
}

using Sharding = decltype(RunConfig::sharding);

/// The kinds of sharding that differ on this mesh.
std::vector<Sharding> possible_shardings(const RunConfig& config, const MeshShape& mesh) {
  const auto with = [&](ZeroStage stage, ReduceEvery reduce) {
    Sharding sharding = config.sharding;
    sharding.stage = stage;
    sharding.reduce = reduce;
    return sharding;
  };
  if (mesh.shard == 1) return {with(ZeroStage::optimizer, ReduceEvery::step)};
  std::vector<Sharding> all = {with(ZeroStage::optimizer, ReduceEvery::step),
                               with(ZeroStage::gradients, ReduceEvery::micro_step),
                               with(ZeroStage::parameters, ReduceEvery::micro_step)};
  if (share_of(config) > 1) all.push_back(with(ZeroStage::parameters, ReduceEvery::step));
  return all;
}

class Search {
 public:
  Search(const RunConfig& config, const Machine& machine) : config_(config), machine_(machine) {}

  MeshSearch run(std::int64_t ranks, std::size_t wanted) {
    for (const MeshShape& mesh : possible_meshes(config_, ranks, machine_.ranks_per_node)) {
      RunConfig config = config_;
      config.mesh = mesh;
      for (const Sharding& sharding : possible_shardings(config, mesh)) {
        config.sharding = sharding;
        consider(config);
      }
    }
    std::sort(timed_.begin(), timed_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    if (timed_.size() > wanted) timed_.erase(timed_.begin() + static_cast<std::ptrdiff_t>(wanted), timed_.end());
    for (const auto& [seconds, config] : timed_) {
      DryRun run(config, machine_);
      found_.best.push_back({config, run.memory(), run.step()});
    }
    std::stable_sort(found_.best.begin(), found_.best.end(),
                     [](const auto& a, const auto& b) { return a.step.seconds < b.step.seconds; });
    return std::move(found_);
  }

 private:
  // Times, for each kind of recomputation, the largest micro-batch that fits.
  void consider(RunConfig config) {
    const std::size_t fixed = fixed_bytes(config);
    for (const Recompute recompute : {Recompute::none, Recompute::light, Recompute::full}) {
      config.train.recompute = recompute;
      std::optional<RunConfig> largest;
      for (std::int64_t micro = 1; share_of(config) % micro == 0; micro *= 2) {
        config.train.micro_batch = micro;
        if (micro * config.train.sequence % config.mesh.tensor != 0) continue;
        const std::size_t bytes = fixed + activation_bytes(config);
        ++found_.considered;
        found_.least_bytes = found_.least_bytes == 0 ? bytes : std::min(found_.least_bytes, bytes);
        if (static_cast<std::int64_t>(bytes) > machine_.memory_bytes - machine_.reserved_bytes) break;
        ++found_.fitting;
        largest = config;
      }
      if (largest) timed_.emplace_back(step_seconds(*largest), *largest);
    }
  }

  // What the store holds and libraries take does not depend on micro-batch and recomputation.
  std::size_t fixed_bytes(RunConfig config) const {
    config.train.micro_batch = config.mesh.tensor;  // some number that the tensor axis divides
    config.train.global_batch = config.train.micro_batch * config.mesh.data();
    const DryRun run(config, machine_);
    const PlannedMemory memory = run.memory();
    return memory.all() - memory.scratch - run.activations().bytes();
  }

  // Activations and scratch depend on nothing else than these.
  std::size_t activation_bytes(const RunConfig& config) {
    const auto key = std::tuple(config.mesh.tensor, config.train.micro_batch, config.train.recompute);
    const auto hit = activations_.find(key);
    if (hit != activations_.end()) return hit->second;
    RunConfig alone = config;
    alone.mesh = {.replica = 1, .shard = 1, .tensor = config.mesh.tensor};
    alone.train.global_batch = config.train.micro_batch;
    const DryRun run(alone, machine_);
    return activations_[key] = run.activations().bytes() + run.memory().scratch;
  }

  // One and two micro-steps say how long any number takes: all but the last one are alike.
  double step_seconds(const RunConfig& config) const {
    const std::int64_t pass = config.train.micro_batch * config.mesh.data();
    const std::int64_t micro_steps = config.train.global_batch / pass;
    RunConfig shorter = config;
    const auto timed = [&](std::int64_t n) {
      shorter.train.global_batch = n * pass;
      return DryRun(shorter, machine_).step().seconds;
    };
    const double one = timed(1);
    return micro_steps == 1 ? one : one + static_cast<double>(micro_steps - 1) * (timed(2) - one);
  }

  const RunConfig& config_;
  const Machine& machine_;
  MeshSearch found_;
  std::vector<std::pair<double, RunConfig>> timed_;
  std::map<std::tuple<std::int64_t, std::int64_t, Recompute>, std::size_t> activations_;
};

}  // namespace

MeshSearch search_meshes(const RunConfig& config, const Machine& machine, std::int64_t ranks, std::size_t wanted) {
  return Search(config, machine).run(ranks, wanted);
}

}  // namespace trireme
