// SPDX-License-Identifier: Apache-2.0
// How long steps of a study take on this host, measured: the dry device's cpu reaches the peak of large products, which
// the small models of a study do not.
#pragma once

#include "launch/study.h"

namespace trireme {

class World;

/// Replaces the planned seconds of runs of one rank by measured ones: steps on made-up tokens with `threads` threads,
/// once for all runs that are alike but for their length, until `budget` seconds are over. The planned seconds of the
/// others are multiplied with what the measured ones took against their plan, in the mean. `world` has one rank.
/// Returns the number of runs that were measured or are like one that was.
std::size_t measure_runs(World& world, Study& study, int threads, double budget);

}  // namespace trireme
