// SPDX-License-Identifier: Apache-2.0
#include "launch/study_memory.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace trireme {
namespace {

std::string gib(std::int64_t bytes) { return fmt::format("{:.4g} GiB", static_cast<double>(bytes) / 0x1p30); }

/// What runs differ in that take the same memory.
std::string kind_of(const RunConfig& config) {
  RunConfig plain = config;
  const RunConfig defaults;
  plain.run = defaults.run;
  plain.data = defaults.data;
  plain.optimizer = defaults.optimizer;
  plain.train.seed = defaults.train.seed;
  plain.train.steps = defaults.train.steps;
  return to_yaml(plain);
}

struct Share {
  const StudyItem* item;
  std::int64_t bytes;  // of one rank
};

std::string too_large(const Share& share, DeviceKind kind, std::int64_t available, const FreeMemory& free) {
  auto text = fmt::format("a rank of it takes {}, and {} are free {}; ", gib(share.bytes), gib(available), free.where);
  const auto advice = memory_advice(share.item->config, kind, available - available / 20);
  if (advice.fitting.empty()) {
    return text + fmt::format(
                      "with the smallest micro-batches and recomputation it takes {}: give it more ranks, or "
                      "leave it out",
                      gib(advice.least.bytes));
  }
  std::vector<std::string> ways;
  for (const MemoryChoice& choice : advice.fitting) {
    ways.push_back(fmt::format("--set base.{}: {}", fmt::join(choice.settings, " --set base."), gib(choice.bytes)));
  }
  return text + fmt::format("what would fit: {}", fmt::join(ways, "; or "));
}

/// The most that runs side by side can take of a host with `ranks` ranks: the largest first, each run once.
std::int64_t most_side_by_side(std::vector<Share> shares, std::int64_t ranks, std::vector<std::string>& names) {
  std::ranges::stable_sort(shares, [](const Share& a, const Share& b) { return a.bytes > b.bytes; });
  std::int64_t sum = 0;
  for (const Share& share : shares) {
    const auto here = std::min(share.item->ranks, ranks);
    if (here == 0) break;
    sum += here * share.bytes;
    ranks -= here;
    names.push_back(share.item->name);
  }
  return sum;
}

}  // namespace

void check_study_memory(std::span<const StudyItem* const> items, DeviceKind kind, const FreeMemory& free,
                        Problems& problems) {
  std::map<std::string, std::int64_t> known;
  std::vector<Share> shares;
  bool each_fits = true;
  const std::int64_t of_host = free.bytes * free.sharing;
  for (const StudyItem* item : items) {
    const auto [hit, fresh] = known.try_emplace(kind_of(item->config), 0);
    if (fresh) hit->second = planned_bytes(item->config, kind);
    shares.push_back({item, hit->second});
    const auto available = of_host / std::min(item->ranks, free.sharing);
    if (hit->second <= available) continue;
    each_fits = false;
    problems.add(item->name, too_large(shares.back(), kind, available, free));
  }
  if (!each_fits || free.sharing == 1) return;
  std::vector<std::string> names;
  const auto most = most_side_by_side(shares, free.sharing, names);
  if (most <= of_host) return;
  problems.add("side by side",
               fmt::format("{} can run at the same time on the {} ranks of a host and then take {}, and "
                           "{} are free {}; start fewer ranks on each host, or give the runs more "
                           "ranks each",
                           fmt::join(names, ", "), free.sharing, gib(most), gib(of_host), free.where));
}

}  // namespace trireme
