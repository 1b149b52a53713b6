// SPDX-License-Identifier: Apache-2.0
// Hoffmann et al.'s approach 2: at each budget a parabola of loss over log N, its minimum, and a line through the
// minima.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/scaling/bootstrap.h"
#include "core/scaling/laws.h"
#include "core/scaling/point.h"

namespace trireme {

/// loss = least + curvature (log10 N - middle)^2; a minimum where the curvature is positive.
struct Parabola {
  double middle = 0, least = 0, curvature = 0;
  double at(double parameters) const;
};

/// The runs of one budget.
struct IsoflopProfile {
  double flops = 0;                 // the geometric mean of what its runs spent
  std::vector<std::size_t> points;  // indices of its runs among those given
  Parabola parabola;
  double parameters = 0;  // N*, where the parabola is least
  double loss = 0;        // there
  Interval interval;      // of N*
  std::string problem;    // why the line does not use it; empty: it does
};

/// N* and D* = C / (6 N*) against compute.
struct ComputeLines {
  ComputeLine parameters, tokens;
};

struct IsoflopFit {
  std::vector<IsoflopProfile> profiles;  // by budget, ascending
  ComputeLines lines;
  std::vector<ComputeLines> resamples;  // those that determined a line
};

struct IsoflopOptions {
  std::vector<double> budgets;  // FLOPs; empty: those that most runs have
  double tolerance = 0.12;  // a run belongs to a budget that its FLOPs are so near to, as a difference of logarithms
};

/// The budgets that at least three sizes were trained with, within `tolerance`, the fullest first taken; ascending.
std::vector<double> find_budgets(std::span<const ScalingPoint> points, double tolerance);

/// Profiles without a minimum between their smallest and largest N are told and left out of the line. Throws
/// Error(usage) when fewer than two budgets have one.
IsoflopFit fit_isoflop(std::span<const ScalingPoint> points, const IsoflopOptions& isoflop,
                       const BootstrapOptions& options);

/// The line of least squares through logarithms: log y = intercept + exponent log x.
ComputeLine line_through(std::span<const double> x, std::span<const double> y);

}  // namespace trireme
