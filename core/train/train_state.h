// SPDX-License-Identifier: Apache-2.0
// How far a run is. With masters and moments this is all that a checkpoint has to hold.
#pragma once

#include <cstdint>

namespace trireme {

struct TrainState {
  std::int64_t step = 0;      // updates made
  std::int64_t position = 0;  // samples consumed: the next update starts at this one of the global order
  std::int64_t tokens = 0;    // consumed

  bool operator==(const TrainState&) const = default;
};

}  // namespace trireme
