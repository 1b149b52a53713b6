// SPDX-License-Identifier: Apache-2.0
// How far a run is, and what it has met. With masters and moments this is all that a checkpoint has to hold.
#pragma once

#include <cstdint>

namespace trireme {

/// What loss and gradient norm have been lately: new ones are judged by it.
struct RunningMeans {
  float loss = 0.0F;
  float norm = 0.0F;
  std::int64_t updates = 0;  // that the means are over

  bool operator==(const RunningMeans&) const = default;
};

struct TrainState {
  std::int64_t step = 0;      // updates made, the skipped ones counted
  std::int64_t position = 0;  // samples consumed: the next update starts at this one of the global order
  std::int64_t tokens = 0;    // consumed
  std::int64_t skipped = 0;   // updates, of all that were told
  RunningMeans means = {};    // of the others

  bool operator==(const TrainState&) const = default;
};

}  // namespace trireme
