// SPDX-License-Identifier: Apache-2.0
#include "parallel/verdict.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

namespace trireme {
namespace {

std::string describe(const Collective& c) {
  return fmt::format("{} #{} of the {} group", name(c.kind), c.number, c.group.data());
}

bool same(const Collective& a, const Collective& b) {
  return a.group == b.group && a.first == b.first && a.number == b.number && a.kind == b.kind;
}

int number(std::span<const RankView> ranks, int r) {
  const int among_all = ranks[static_cast<std::size_t>(r)].world_rank;
  return among_all < 0 ? r : among_all;
}

/// "rank 2 on node2", "ranks 2, 3 on node2"
std::string naming(std::span<const RankView> ranks, const std::vector<int>& which) {
  std::set<std::string> hosts;
  std::vector<int> numbers;
  for (const int r : which) {
    hosts.insert(ranks[static_cast<std::size_t>(r)].host);
    numbers.push_back(number(ranks, r));
  }
  return fmt::format("rank{} {} on {}", which.size() == 1 ? "" : "s", fmt::join(numbers, ", "), fmt::join(hosts, ", "));
}

/// The longest of these numbers.
template <class Seconds>
double longest(std::span<const RankView> ranks, const std::vector<int>& which, const Seconds& seconds) {
  double most = 0;
  for (const int r : which) most = std::max(most, seconds(ranks[static_cast<std::size_t>(r)]));
  return most;
}

/// What the ranks that have waited too long wait in.
std::string waiting_in(std::span<const RankView> ranks, const std::vector<int>& waiting) {
  std::vector<Collective> distinct;
  for (const int r : waiting) {
    const Collective& c = ranks[static_cast<std::size_t>(r)].line.collective;
    if (std::ranges::none_of(distinct, [&](const Collective& d) { return same(c, d); })) distinct.push_back(c);
  }
  constexpr std::size_t kNamed = 4;
  std::vector<std::string> named;
  for (std::size_t i = 0; i < std::min(kNamed, distinct.size()); ++i) named.push_back(describe(distinct[i]));
  if (distinct.size() > kNamed) named.emplace_back("others");
  return fmt::format("{}", fmt::join(named, " and "));
}

std::string headline(std::span<const RankView> ranks, const std::vector<int>& waiting, const std::vector<int>& silent,
                     const std::vector<int>& stuck) {
  const auto in = waiting_in(ranks, waiting);
  const auto others =
      waiting.size() == 1 ? fmt::format("rank {} waits", number(ranks, waiting.front())) : "the others wait";
  if (!silent.empty()) {
    return fmt::format("{} {} not answered for {:.0f} s (stopped, dead or cut off); {} in {}", naming(ranks, silent),
                       silent.size() == 1 ? "has" : "have",
                       longest(ranks, silent, [](const RankView& v) { return v.silent; }), others, in);
  }
  if (!stuck.empty()) {
    const RankLine& line = ranks[static_cast<std::size_t>(stuck.front())].line;
    return fmt::format("{} {} in {} for {:.0f} s without progress; {} in {}", naming(ranks, stuck),
                       stuck.size() == 1 ? "has been" : "have been", name(line.phase),
                       longest(ranks, stuck, [](const RankView& v) { return v.line.host_still; }), others, in);
  }
  const auto seconds = longest(ranks, waiting, [](const RankView& v) { return v.line.waits; });
  return fmt::format("all ranks have waited for one another for {:.0f} s, in {}", seconds, in);
}

}  // namespace

std::string describe(const RankLine& line) {
  std::string text = fmt::format("step {}, {}", line.step, name(line.phase));
  if (line.leaving) text = fmt::format("step {}, end", line.step);
  const Collective& c = line.collective;
  if (c.number == 0) return text + ", no collective yet";
  const auto which = fmt::format("{} ({} ranks from rank {}), {} bytes", describe(c), c.size, c.first, c.bytes);
  if (line.waits >= 0) return text + fmt::format(", in {}, for {:.1f} s", which, line.waits);
  return text + fmt::format(", last {}, no change for {:.1f} s", which, line.still);
}

std::optional<Verdict> judge(std::span<const RankView> ranks, int self, double seconds) {
  std::vector<int> waiting;
  std::vector<int> silent;
  std::vector<int> stuck;
  bool progress = false;
  Verdict verdict;
  verdict.speaker = -1;
  for (int r = 0; r < static_cast<int>(ranks.size()); ++r) {
    const RankView& view = ranks[static_cast<std::size_t>(r)];
    const RankLine& line = view.line;
    if (r != self && view.silent > seconds) {
      silent.push_back(r);
      continue;
    }
    if (verdict.speaker < 0) verdict.speaker = r;
    if ((line.in_data && line.host_still > seconds) || (line.waits < 0 && line.still > seconds)) {
      stuck.push_back(r);
    } else if (line.waits > seconds) {
      waiting.push_back(r);
    } else {
      progress = true;
    }
  }
  if (waiting.empty()) return std::nullopt;
  if (silent.empty() && stuck.empty() && progress) return std::nullopt;
  verdict.culprits = !silent.empty() ? silent : stuck;
  // Those who came to it a moment later wait as well.
  for (int r = 0; r < static_cast<int>(ranks.size()); ++r) {
    const bool known = std::ranges::find(waiting, r) != waiting.end();
    const bool blamed = std::ranges::find(verdict.culprits, r) != verdict.culprits.end();
    if (!known && !blamed && ranks[static_cast<std::size_t>(r)].line.waits >= 0) waiting.push_back(r);
  }
  verdict.text = headline(ranks, waiting, silent, stuck);
  for (int r = 0; r < static_cast<int>(ranks.size()); ++r) {
    const RankView& view = ranks[static_cast<std::size_t>(r)];
    verdict.text += fmt::format("\n  rank {} on {}: {}", number(ranks, r), view.host, describe(view.line));
    if (std::ranges::find(silent, r) != silent.end()) verdict.text += fmt::format("; silent for {:.1f} s", view.silent);
  }
  return verdict;
}

}  // namespace trireme
