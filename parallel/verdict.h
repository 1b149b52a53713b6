// SPDX-License-Identifier: Apache-2.0
// What the watchdog knows of every rank, and whether that is a hang: whose, and in what words.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/status_board.h"

namespace trireme {

/// What a rank tells of itself: plain bytes, sent as they are. Seconds are those in which its own watchdog was awake.
struct RankLine {
  std::uint64_t beat = 0;  // counts lines; of two, the higher one is newer
  std::int64_t step = 0;   // updates made
  double still = 0;        // seconds since anything happened on the board
  double host_still = 0;   // seconds since the driving thread did anything
  double waits = -1;       // seconds that the collective below has been running; below 0: none is, and it is the
                           // last that ended
  Collective collective;   // number 0: there was none yet
  Phase phase = Phase::start;
  bool in_data = false;  // the driving thread waits for data
  bool leaving = false;  // it has come to the end of its work
  bool fallen = false;   // it has found a hang and is ending the job
};

/// A rank as another one knows it.
struct RankView {
  std::string host;
  RankLine line;
  double silent = 0;    // seconds since its newest line came
  int world_rank = -1;  // what it is called in words: its number among all ranks of the job; below 0: its number here
};

struct Verdict {
  std::vector<int> culprits;  // as numbered among those that were judged; empty: nobody in particular
  int speaker = 0;            // the lowest of them that answers
  std::string text;           // a line that names them, and a line for each rank
};

/// The rule. A hang is when some rank that answers has waited longer than `seconds` in one collective, and
/// - a rank has been silent for longer than that: its watchdog speaks whatever else the process does, so it is stopped,
///   dead or cut off; or
/// - a rank that waits in no collective has not changed its board for longer than that, or waits for data for longer;
/// or
/// - all ranks that answer have waited longer than that: they are in different collectives, or messages get lost.
/// A rank that is slow but shows progress (a phase, a step, a tick, a collective) is never blamed. `self` always
/// answers.
std::optional<Verdict> judge(std::span<const RankView> ranks, int self, double seconds);

/// "step 12, data, last all_reduce #40 of the replica group (2 ranks from rank 0), 4096 bytes"
std::string describe(const RankLine& line);

}  // namespace trireme
