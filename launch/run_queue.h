// SPDX-License-Identifier: Apache-2.0
// Which run of a study starts when, on which ranks: decided as ranks get free, by the rule of launch/packing.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace trireme {

struct QueuedRun {
  std::int64_t ranks = 1;
  std::optional<std::size_t> after = {};  // starts when that one has ended, however
};

class RunQueue {
 public:
  struct Start {
    std::size_t run = 0;
    std::vector<int> ranks;  // ascending
  };

  /// Runs in the order in which they are to start, longest first. `order`: for every rank of the world its index when
  /// ranks are counted node by node, so that neighbours share a node. No run is wider than the world.
  RunQueue(std::vector<QueuedRun> runs, std::span<const std::int64_t> order);

  /// The rank has nothing to do.
  void is_free(int rank);
  /// What can start now, which the ranks are then busy with: whenever ranks are free, the first run that fits them.
  std::vector<Start> starts();
  /// A run that was started has come to its end, or was so from the beginning; its ranks are free when they say so.
  void ended(std::size_t run);
  /// It is to be started once more.
  void again(std::size_t run);

  bool running(std::size_t run) const { return states_[run] == State::running; }
  std::size_t waiting() const { return count(State::waiting); }
  std::size_t running() const { return count(State::running); }

 private:
  enum class State { waiting, running, ended };

  std::size_t count(State state) const;
  bool ready(const QueuedRun& run) const;

  std::vector<QueuedRun> runs_;
  std::vector<State> states_;
  std::vector<int> rank_at_;  // by index
  std::vector<std::size_t> index_of_;
  std::vector<bool> busy_;  // by index
};

}  // namespace trireme
