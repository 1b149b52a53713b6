// SPDX-License-Identifier: Apache-2.0
#include "launch/memory_check.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "core/base/error.h"
#include "kernels/kernels.h"
#include "launch/command.h"
#include "launch/dry_step.h"

namespace trireme {
namespace {

/// Of a GPU's free memory, what libraries take once they work: workspaces, kernels that are loaded when first used, and
/// between ranks NCCL's buffers. Assumed, and generous.
std::int64_t library_bytes(DeviceKind kind, const RunConfig& config) {
  if (kind != DeviceKind::cuda) return 0;
  return (config.mesh.ranks() > 1 ? std::int64_t{2} : std::int64_t{1}) << 30U;
}

std::string gib(std::int64_t bytes) { return fmt::format("{:.4g} GiB", static_cast<double>(bytes) / 0x1p30); }

/// Micro-batches below the run's, in falling order, that divide what a rank reads.
std::vector<std::int64_t> smaller_micro_batches(const RunConfig& config) {
  const std::int64_t share = config.train.global_batch / config.mesh.data();
  std::vector<std::int64_t> all;
  for (std::int64_t b = config.train.micro_batch - 1; b >= 1; --b) {
    if (share % b == 0 && b * config.train.sequence % config.mesh.tensor == 0) all.push_back(b);
  }
  return all;
}

/// A change that leaves the samples of a step as they are, and the settings that make it. Of those that change the same
/// thing one is made at most.
struct Change {
  std::string_view of;
  std::vector<std::string> settings;
  void (*make)(RunConfig&);
};

/// Those that the run is not made of already.
std::vector<Change> open_changes(const RunConfig& config) {
  std::vector<Change> changes;
  if (config.train.recompute == Recompute::none) {
    changes.push_back({"recompute", {"recompute=light"}, [](RunConfig& c) { c.train.recompute = Recompute::light; }});
  }
  if (config.train.recompute != Recompute::full) {
    changes.push_back({"recompute", {"recompute=full"}, [](RunConfig& c) { c.train.recompute = Recompute::full; }});
  }
  const bool sharded = config.mesh.replica == 1 && config.sharding.stage == ZeroStage::parameters &&
                       config.sharding.reduce == ReduceEvery::micro_step;
  if (config.mesh.data() > 1 && !sharded) {
    changes.push_back({"mesh",
                       {"mesh.replica=1", fmt::format("mesh.shard={}", config.mesh.data()), "sharding.zero=3",
                        "sharding.reduce=micro_step"},
                       [](RunConfig& c) {
                         c.mesh.shard = c.mesh.data();
                         c.mesh.replica = 1;
                         c.sharding.stage = ZeroStage::parameters;
                         c.sharding.reduce = ReduceEvery::micro_step;
                       }});
  }
  return changes;
}

/// What to do about it, for people.
std::string advice_text(const MemoryAdvice& advice, std::int64_t ranks) {
  const auto others = fmt::format("`trireme plan CONFIG --world {} --search` tries other meshes", ranks);
  if (advice.fitting.empty()) {
    return fmt::format(
        "No smaller micro-batch, recomputation or sharding over as many ranks ({}) makes it fit: a rank takes at least "
        "{}{}. Take more ranks, a shorter train.sequence or a smaller model; {}",
        ranks, gib(advice.least.bytes),
        advice.least.settings.empty() ? "" : fmt::format(" (with {})", fmt::join(advice.least.settings, " ")), others);
  }
  std::string text = "What would fit:";
  for (const MemoryChoice& choice : advice.fitting) {
    text += fmt::format("\n  --set {}: {}", fmt::join(choice.settings, " --set "), gib(choice.bytes));
  }
  return text + "\n" + others;
}

}  // namespace

std::int64_t planned_bytes(const RunConfig& config, DeviceKind kind) {
  // Bytes are the same on every machine of the table.
  const PlannedMemory memory = DryRun(config, find_machine("h200", 1)).memory();
  return static_cast<std::int64_t>(memory.device + (kind == DeviceKind::cpu ? memory.pinned : 0));
}

MemoryAdvice memory_advice(const RunConfig& config, DeviceKind kind, std::int64_t available) {
  const auto changes = open_changes(config);
  MemoryAdvice advice{.fitting = {}, .least = {{}, planned_bytes(config, kind)}};
  std::size_t fewest = changes.size() + 2;
  // Whether it fits; of those that do, the ones of the fewest changes stay.
  const auto consider = [&](const RunConfig& other, std::vector<std::string> settings, std::size_t made) {
    const MemoryChoice choice{std::move(settings), planned_bytes(other, kind)};
    if (choice.bytes < advice.least.bytes) advice.least = choice;
    if (choice.bytes > available) return false;
    if (made < fewest) advice.fitting.clear();
    fewest = std::min(fewest, made);
    if (made == fewest) advice.fitting.push_back(choice);
    return true;
  };
  // Each set of changes with the run's own micro-batch, else with the largest one that fits.
  for (std::size_t set = 0; set < std::size_t{1} << changes.size(); ++set) {
    RunConfig other = config;
    std::vector<std::string> settings;
    std::set<std::string_view> changed;
    bool twice = false;
    for (std::size_t i = 0; i < changes.size(); ++i) {
      if (((set >> i) & 1U) == 0) continue;
      changes[i].make(other);
      settings.insert(settings.end(), changes[i].settings.begin(), changes[i].settings.end());
      twice = !changed.insert(changes[i].of).second || twice;
    }
    if (twice) continue;
    const std::size_t made = changed.size();
    if (consider(other, settings, made)) continue;
    settings.emplace_back();
    for (const std::int64_t micro_batch : smaller_micro_batches(config)) {
      other.train.micro_batch = micro_batch;
      settings.back() = fmt::format("train.micro_batch={}", micro_batch);
      if (consider(other, settings, made + 1)) break;
    }
  }
  return advice;
}

void check_memory(World& world, const RunConfig& config, const Device& device) {
  const DeviceKind kind = device.kind();
  const std::int64_t sharing = kind == DeviceKind::cpu ? world.local_size() : 1;
  std::array<std::int64_t, 1> negated = {-available_bytes(device) / sharing};
  world.group().host_reduce(negated, Reduction::max);  // all must do with what the poorest has
  on_rank_zero(world, [&] {
    const std::int64_t libraries = library_bytes(kind, config);
    const std::int64_t available = std::max<std::int64_t>(0, -negated[0] - libraries);
    const std::int64_t needed = planned_bytes(config, kind);
    if (needed <= available) return;
    const auto where = kind == DeviceKind::cuda
                           ? fmt::format("on {} beside {} for libraries", device.description(), gib(libraries))
                           : fmt::format("in the host's memory{}",
                                         sharing == 1 ? "" : fmt::format(" for each of its {} ranks", sharing));
    fail_usage("a rank of this run takes {}, and {} are free {}; nothing was started. {}", gib(needed), gib(available),
               where, advice_text(memory_advice(config, kind, available), config.mesh.ranks()));
  });
}

}  // namespace trireme
