// SPDX-License-Identifier: Apache-2.0
// The check that matters: the law of the smaller budgets, asked for the losses of the larger ones.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/scaling/bootstrap.h"
#include "core/scaling/parametric_fit.h"
#include "core/scaling/point.h"

namespace trireme {

struct HeldOut {
  std::size_t point = 0;  // its index among those given
  double predicted = 0;   // loss, nats
  Interval one_run;       // where one run's loss was to be expected
};

struct Holdout {
  double flops = 0;  // runs of at least so many were held out
  ChinchillaLaw law;
  std::vector<HeldOut> runs;
  double mean_error = 0;   // of predicted / measured - 1: the law's bias
  double rms_error = 0;    // of the same
  double worst_error = 0;  // of the same, the largest in size, with its sign
  std::size_t within = 0;  // runs that lie in their interval
};

/// Fits the runs below `flops` and predicts the others. 0 chooses: the largest budgets that hold at least a fifth of
/// the runs together. Throws Error(usage) where the rest determines no law, or nothing is held out.
Holdout check_holdout(std::span<const ScalingPoint> points, double flops, const BootstrapOptions& options);

/// Where the loss of one run of N and D is to be expected: of each resample the law's loss, times the residual of a run
/// drawn at random.
Interval one_run_interval(const ParametricFit& fit, const BootstrapOptions& options, double parameters, double tokens);

}  // namespace trireme
