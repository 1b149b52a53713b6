// SPDX-License-Identifier: Apache-2.0
#include "launch/memory_check.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <set>
#include <string_view>

#include "core/base/error.h"
#include "kernels/kernels.h"
#include "launch/command.h"
#include "launch/dry_step.h"

namespace trireme {
namespace {

/// Bytes are the same on every GPU of the table. On a CPU the head's chunks are shorter, and operations and libraries
/// take nothing of their own.
Machine machine_of(DeviceKind kind) {
  Machine machine = find_machine("h200", 1);
  if (kind != DeviceKind::cpu) return machine;
  machine.scratch = false;
  machine.libraries = {};
  machine.bf16_flops_per_second = machine.fp32_flops_per_second = 1e12;
  return machine;
}

/// Of what is free, bytes that are not for what is planned. On a CPU MPI and oneDNN take them: 62 MB were measured. On
/// a GPU they are fewer than none: the device is open, and what that has taken is part of what is planned.
std::int64_t kept_back(DeviceKind kind) {
  if (kind == DeviceKind::cpu) return std::int64_t{64} << 20U;
  return kind == DeviceKind::cuda ? -machine_of(kind).libraries.opening : 0;
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

/// A word of a command line, quoted for a shell where it has to be.
std::string shell_word(const std::string& word) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+./,:=@%";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return quoted + "'";
}

/// The command that looks at other meshes; none on one rank, which has no other.
std::string search_command(const RunRequest& request, std::int64_t ranks, const std::string& gpu) {
  if (ranks == 1) return "";
  std::string line = "trireme plan " + shell_word(request.config);
  for (const auto& assignment : request.sets) line += " --set " + shell_word(assignment);
  return fmt::format("{} --world {}{} --search", line, ranks, gpu.empty() ? "" : " --gpu " + gpu);
}

/// The device in the words of `trireme plan --gpu`; nothing where it knows none of that kind.
std::string name_for_plan(const Device& device) {
  if (device.kind() == DeviceKind::cpu) return "cpu";
  auto description = device.description();
  std::transform(description.begin(), description.end(), description.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const char* name : {"a100", "b200", "h100", "h200"}) {
    if (description.find(name) != std::string::npos) return name;
  }
  return "";
}

/// What to do about it, for people.
std::string advice_text(const MemoryAdvice& advice, std::int64_t ranks, const std::string& search) {
  const auto others = search.empty() ? "" : fmt::format("`{}` tries other meshes", search);
  if (advice.fitting.empty()) {
    return fmt::format(
        "No smaller micro-batch, recomputation or sharding over as many ranks ({}) makes it fit: a rank takes at least "
        "{}{}. Take more ranks, a shorter train.sequence or a smaller model{}",
        ranks, gib(advice.least.bytes),
        advice.least.settings.empty() ? "" : fmt::format(" (with {})", fmt::join(advice.least.settings, " ")),
        others.empty() ? "" : "; " + others);
  }
  std::string text = "What would fit, with a twentieth of that to spare:";
  for (const MemoryChoice& choice : advice.fitting) {
    text += fmt::format("\n  --set {}: {}", fmt::join(choice.settings, " --set "), gib(choice.bytes));
  }
  return others.empty() ? text : text + "\n" + others;
}

}  // namespace

FreeMemory free_memory(World& world, const Device& device) {
  const bool shared = device.kind() == DeviceKind::cpu;
  const std::int64_t sharing = shared ? world.local_size() : 1;
  const std::int64_t own = available_bytes(device) / sharing - kept_back(device.kind());
  std::array<std::int64_t, 1> most_wanting = {-own};
  world.group().host_reduce(most_wanting, Reduction::max);
  std::array<std::int64_t, 1> first = {own == -most_wanting[0] ? -world.rank() : -world.size()};
  world.group().host_reduce(first, Reduction::max);
  const bool alone = world.size() == 1;
  FreeMemory result{std::max<std::int64_t>(0, -most_wanting[0]), sharing, ""};
  if (shared) {
    result.where = fmt::format("in the host's memory{}{}", alone ? "" : " on " + world.host(),
                               sharing == 1 ? "" : fmt::format(" for each of its {} ranks", sharing));
  } else {
    result.where = fmt::format("on {}{}", device.description(),
                               alone ? "" : fmt::format(" of rank {} on {}", world.rank(), world.host()));
  }
  if (shared) result.where += fmt::format(" beside {} for libraries", gib(kept_back(device.kind())));
  world.group().host_broadcast(result.where, static_cast<int>(-first[0]));
  return result;
}

std::int64_t planned_bytes(const RunConfig& config, DeviceKind kind) {
  RunConfig shorter = config;  // every micro-step uses the memory of the first
  shorter.train.global_batch = config.train.micro_batch * config.mesh.data();
  const PlannedMemory memory = DryRun(shorter, machine_of(kind)).memory();
  return static_cast<std::int64_t>(memory.all() + (kind == DeviceKind::cpu ? memory.pinned : 0));
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

void check_memory(World& world, const RunConfig& config, const Device& device, const RunRequest& request) {
  const DeviceKind kind = device.kind();
  const FreeMemory free = free_memory(world, device);
  on_rank_zero(world, [&] {
    const std::int64_t needed = planned_bytes(config, kind);
    if (needed <= free.bytes) return;
    // Who follows the advice is not to stand at the brim: a process takes up to 5 % more than its plan.
    const auto advice = memory_advice(config, kind, free.bytes - free.bytes / 20);
    const std::int64_t ranks = config.mesh.ranks();
    fail_usage("a rank of this run takes {}, and {} are free {}; nothing was started. {}", gib(needed), gib(free.bytes),
               free.where, advice_text(advice, ranks, search_command(request, ranks, name_for_plan(device))));
  });
}

}  // namespace trireme
