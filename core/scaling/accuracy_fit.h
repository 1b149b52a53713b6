// SPDX-License-Identifier: Apache-2.0
// From size to accuracy in two steps: the loss on the task from N and D, the accuracy from that loss.
#pragma once

#include <span>
#include <vector>

#include "core/scaling/bootstrap.h"
#include "core/scaling/laws.h"
#include "core/scaling/parametric_fit.h"
#include "core/scaling/point.h"

namespace trireme {

struct AccuracyFit {
  bool own_loss = true;    // step one is of task_loss; otherwise of the loss itself
  std::size_t points = 0;  // rows that have both
  ParametricFit task;      // step one: task loss from N and D
  AccuracyLaw law;         // step two
  double rms_error = 0;    // of step two, in accuracy
  std::vector<AccuracyLaw> resamples;

  double accuracy(double parameters, double tokens) const;
  /// Both steps' uncertainty, from the same resamples of runs.
  Interval interval(double parameters, double tokens, double level) const;
};

/// `chance`: the floor of the accuracy, of who guesses; NaN: fitted. Rows that lack an accuracy are left out. Throws
/// Error(usage) where fewer than six have one, accuracy does not rise by 0.02 or more, or step one is refused.
AccuracyFit fit_accuracy(std::span<const ScalingPoint> points, double chance, const BootstrapOptions& options);

}  // namespace trireme
