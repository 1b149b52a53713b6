// SPDX-License-Identifier: Apache-2.0
// What a study would find out, were a published law the truth: the same fit on made-up losses.
#pragma once

#include <optional>
#include <span>

#include "launch/study_design.h"

namespace trireme {

/// The interval that the bootstrap would give for a, the exponent of N* ~ C^a.
struct ExpectedInterval {
  double truth = 0;  // of the law that made the losses
  double width = 0;  // of the interval of `level`, the mean over made-up tables
  double noise = 0;  // relative, of a single loss
  double level = 0;
};

/// Losses of the points that are not held out by Hoffmann et al.'s law and noise of `noise` of a loss, a few tables of
/// them, each fitted by approach 3 with a bootstrap. Nothing for points that determine no law.
std::optional<ExpectedInterval> expected_interval(std::span<const DesignPoint> points, double noise, double level);

}  // namespace trireme
