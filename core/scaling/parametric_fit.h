// SPDX-License-Identifier: Apache-2.0
// Hoffmann et al.'s approach 3: their law fitted to the ends of all runs at once, from a grid of starts, with its
// bootstrap.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/scaling/bootstrap.h"
#include "core/scaling/huber_sum.h"
#include "core/scaling/laws.h"
#include "core/scaling/point.h"

namespace trireme {

struct ParametricFit {
  ChinchillaLaw law;
  double objective = 0;                  // sum of Huber losses of log loss, delta 1e-3
  std::size_t starts = 0;                // searches made
  std::size_t agreeing = 0;              // of them ended within 1e-4 of the best, relative
  std::vector<double> residuals;         // of each point: log(measured) - log(law)
  std::vector<ChinchillaLaw> resamples;  // the law of each resample of runs
};

/// Throws Error(usage) saying why `points` determine no such law: fewer than six, fewer than three sizes or token
/// counts, one budget only, or values as check_points refuses them.
void check_parametric(std::span<const ScalingPoint> points);

/// The law of least objective over searches from the whole grid of 4,500 starts, alpha and beta from 0 to 2, e from -1
/// to 1, a and b from 0 to 25; then one search for each resample of runs, from there. Throws as check_parametric.
ParametricFit fit_parametric(std::span<const ScalingPoint> points, const BootstrapOptions& options);

/// The law of rows that count `weights` times, searched for from another one: what a resample is fitted with.
ChinchillaLaw refit_parametric(const LogRows& rows, std::span<const double> weights, const ChinchillaLaw& from);

/// What `of` gives for each law of the bootstrap.
template <class Of>
std::vector<double> over_resamples(const ParametricFit& fit, Of of) {
  std::vector<double> values;
  values.reserve(fit.resamples.size());
  for (const auto& law : fit.resamples) values.push_back(of(law));
  return values;
}

}  // namespace trireme
