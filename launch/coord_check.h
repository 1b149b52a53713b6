// SPDX-License-Identifier: Apache-2.0
// `trireme sweep CONFIG --coord-check`: whether a few updates move the activations of a study's models as far at every
// width, as the maximal update parametrization promises (core/train/coordinate_check.h).
#pragma once

#include "launch/study.h"
#include "parallel/parallel.h"

namespace trireme {

/// Trains every shape of the study for a few updates, in both parametrizations, the ranks each some of them; prints the
/// table, and writes it and its pictures into the study's folder. Throws Error(usage) for a study of one width. All
/// ranks call; returns the exit code.
int run_coord_check(World& world, const Study& study, bool json);

}  // namespace trireme
