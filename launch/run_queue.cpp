// SPDX-License-Identifier: Apache-2.0
#include "launch/run_queue.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/base/error.h"
#include "launch/packing.h"

namespace trireme {

RunQueue::RunQueue(std::vector<QueuedRun> runs, std::span<const std::int64_t> order)
    : runs_(std::move(runs)),
      states_(runs_.size(), State::waiting),
      rank_at_(order.size()),
      index_of_(order.size()),
      busy_(order.size(), true) {
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    index_of_[rank] = static_cast<std::size_t>(order[rank]);
    rank_at_[index_of_[rank]] = static_cast<int>(rank);
  }
  for (const QueuedRun& run : runs_) {
    check(run.ranks >= 1 && run.ranks <= static_cast<std::int64_t>(order.size()), "a run of {} ranks, and there are {}",
          run.ranks, order.size());
  }
}

void RunQueue::is_free(int rank) { busy_[index_of_[static_cast<std::size_t>(rank)]] = false; }

bool RunQueue::ready(const QueuedRun& run) const { return !run.after || states_[*run.after] == State::ended; }

std::vector<RunQueue::Start> RunQueue::starts() {
  std::vector<Start> starts;
  auto too_wide = std::numeric_limits<std::int64_t>::max();
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    const QueuedRun& run = runs_[i];
    if (states_[i] != State::waiting || !ready(run) || run.ranks >= too_wide) continue;
    const auto first = free_block(busy_, run.ranks);
    if (first < 0) {
      too_wide = run.ranks;
      continue;
    }
    Start start{i, {}};
    for (auto at = static_cast<std::size_t>(first); at < static_cast<std::size_t>(first + run.ranks); ++at) {
      busy_[at] = true;
      start.ranks.push_back(rank_at_[at]);
    }
    std::ranges::sort(start.ranks);
    states_[i] = State::running;
    starts.push_back(std::move(start));
  }
  return starts;
}

void RunQueue::ended(std::size_t run) { states_[run] = State::ended; }

void RunQueue::again(std::size_t run) { states_[run] = State::waiting; }

std::size_t RunQueue::count(State state) const { return static_cast<std::size_t>(std::ranges::count(states_, state)); }

}  // namespace trireme
