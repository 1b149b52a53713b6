// SPDX-License-Identifier: Apache-2.0
// How many ranks each run of a study gets, and what it then takes: from steps on the dry device.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "launch/mesh_search.h"
#include "launch/study.h"

namespace trireme {
namespace {

/// A way to run a configuration.
struct Sized {
  RunConfig config;
  std::size_t rank_bytes = 0;
  double step_seconds = 0;
};

std::string gib(std::size_t bytes) { return fmt::format("{:.2f} GiB", static_cast<double>(bytes) / (1 << 30)); }

/// Steps of the run and its branches.
double all_steps(const StudyRun& run) {
  auto steps = static_cast<double>(run.config.train.steps);
  for (const StudyBranch& b : run.branches) steps += static_cast<double>(b.config.train.steps - b.from_step);
  return steps;
}

class Sizes {
 public:
  Sizes(const StudySettings& settings, const Machine& machine, std::int64_t available)
      : settings_(settings), machine_(machine), available_(available) {}

  /// Nothing when the run fits in no way; why() says so then.
  std::optional<Sized> size(const StudyRun& run) {
    if (settings_.ranks.choice == RankChoice::fixed) return on(run.config, settings_.ranks.each);
    const auto most = settings_.ranks.most > 0 ? std::min(settings_.ranks.most, available_) : available_;
    std::optional<Sized> best;
    for (std::int64_t ranks = 1; ranks <= most; ranks *= 2) {
      const auto found = on(run.config, ranks);
      if (!found || (best && best->step_seconds <= found->step_seconds)) continue;
      best = found;
      const bool soon = best->step_seconds * all_steps(run) <= settings_.ranks.seconds;
      if (settings_.ranks.choice == RankChoice::memory || soon) break;
    }
    return best;
  }

  const std::string& why() const { return why_; }

 private:
  /// The run on so many ranks; runs that differ in nothing that memory and time depend on are planned once.
  std::optional<Sized> on(const RunConfig& config, std::int64_t ranks) {
    RunConfig plain = config;
    const RunConfig defaults;
    plain.run = defaults.run;
    plain.data = defaults.data;
    plain.optimizer = defaults.optimizer;
    plain.train.seed = defaults.train.seed;
    plain.train.steps = defaults.train.steps;
    const auto key = fmt::format("{}\n{}", ranks, to_yaml(plain));
    const auto [hit, fresh] = known_.try_emplace(key);
    if (fresh) {
      hit->second = config.train.micro_batch > 0 && fixed() ? as_given(config, ranks) : searched(config, ranks);
    }
    return hit->second;
  }

  bool fixed() const { return settings_.ranks.choice == RankChoice::fixed; }

  std::optional<Sized> as_given(RunConfig config, std::int64_t ranks) {
    const auto share = config.train.global_batch / config.mesh.data();
    auto& micro = config.train.micro_batch;
    micro = std::min(micro, share);
    while (share % micro != 0 || micro * config.train.sequence % config.mesh.tensor != 0) {
      if (--micro > 0) continue;
      why_ = fmt::format("no micro-batch of {} samples a rank can be split by mesh.tensor = {}", share,
                         config.mesh.tensor);
      return std::nullopt;
    }
    DryRun dry(config, machine_);
    const PlannedMemory memory = dry.memory();
    if (!memory.fits) {
      why_ = fmt::format(
          "a rank of {} takes {} with train.micro_batch = {}, and {} has {}; give it more ranks, or leave "
          "train.micro_batch and mesh out of `base`",
          ranks, gib(memory.all()), micro, machine_.name,
          gib(static_cast<std::size_t>(machine_.memory_bytes - machine_.reserved_bytes)));
      return std::nullopt;
    }
    return Sized{config, memory.all(), dry.step().seconds};
  }

  std::optional<Sized> searched(const RunConfig& config, std::int64_t ranks) {
    const auto search = search_meshes(config, machine_, ranks, 1);
    if (search.best.empty()) {
      why_ = search.considered == 0
                 ? fmt::format("no mesh of {} ranks splits its batch of {} samples and its heads", ranks,
                               config.train.global_batch)
                 : fmt::format("on {} ranks it takes at least {} of each, and {} has {}", ranks,
                               gib(search.least_bytes), machine_.name,
                               gib(static_cast<std::size_t>(machine_.memory_bytes - machine_.reserved_bytes)));
      return std::nullopt;
    }
    const MeshChoice& best = search.best.front();
    return Sized{best.config, best.memory.all(), best.step.seconds};
  }

  const StudySettings& settings_;
  const Machine& machine_;
  std::int64_t available_;
  std::map<std::string, std::optional<Sized>> known_;
  std::string why_;
};

/// What was chosen, in the settings of a run or branch that differ in nothing but its length.
void take_over(RunConfig& config, const RunConfig& chosen) {
  config.mesh = chosen.mesh;
  config.sharding = chosen.sharding;
  config.train.micro_batch = chosen.train.micro_batch;
  config.train.recompute = chosen.train.recompute;
}

}  // namespace

void size_runs(Study& study, const Machine& machine, std::int64_t available, Problems& problems) {
  if (const auto& ranks = study.settings.ranks; ranks.choice == RankChoice::fixed && ranks.each > available) {
    return problems.add("ranks.each", fmt::format("{} ranks for every run, and the job has {}", ranks.each, available));
  }
  Sizes sizes(study.settings, machine, available);
  for (StudyRun& run : study.runs) {
    const auto sized = sizes.size(run);
    if (!sized) {
      problems.add(run.name, sizes.why());
      continue;
    }
    take_over(run.config, sized->config);
    run.ranks = run.config.mesh.ranks();
    run.rank_bytes = sized->rank_bytes;
    run.seconds = sized->step_seconds * static_cast<double>(run.config.train.steps);
    for (StudyBranch& branch : run.branches) {
      take_over(branch.config, sized->config);
      branch.seconds = sized->step_seconds * static_cast<double>(branch.config.train.steps - branch.from_step);
    }
  }
  std::stable_sort(study.runs.begin(), study.runs.end(),
                   [](const StudyRun& a, const StudyRun& b) { return a.all_seconds() > b.all_seconds(); });
}

}  // namespace trireme
