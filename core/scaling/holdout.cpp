// SPDX-License-Identifier: Apache-2.0
#include "core/scaling/holdout.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/base/rng.h"

namespace trireme {
namespace {

/// The budget from which on at least a fifth of the runs lie.
double largest_fifth(std::span<const ScalingPoint> points) {
  std::vector<double> flops;
  for (const auto& p : points) flops.push_back(p.flops);
  std::sort(flops.begin(), flops.end());
  const auto at = flops[flops.size() - std::max<std::size_t>(1, flops.size() / 5)];
  return at * (1 - 1e-2);  // budgets are met to within a step: what is nearly as large belongs with it
}

}  // namespace

Interval one_run_interval(const ParametricFit& fit, const BootstrapOptions& options, double parameters, double tokens) {
  const Random random(options.seed, "noise of a run");
  // Five coefficients were fitted to these residuals, which are the smaller for it.
  const auto count = static_cast<double>(fit.residuals.size());
  const auto widen = std::sqrt(count / std::max(1.0, count - 5));
  std::uint64_t index = 0;
  const auto losses = over_resamples(fit, [&](const ChinchillaLaw& law) {
    const auto drawn = fit.residuals[random.below(index++, fit.residuals.size())];
    return law.loss(parameters, tokens) * std::exp(widen * drawn);
  });
  return percentile_interval(losses, options.level);
}

Holdout check_holdout(std::span<const ScalingPoint> points, double flops, const BootstrapOptions& options) {
  Holdout result;
  result.flops = flops > 0 ? flops : largest_fifth(points);
  std::vector<ScalingPoint> smaller;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (points[i].flops < result.flops) {
      smaller.push_back(points[i]);
    } else {
      result.runs.push_back({i, 0, {}});
    }
  }
  check_usage(!result.runs.empty(), "no run has {:.4g} FLOPs or more: nothing is held out", result.flops);
  const auto fit = fit_parametric(smaller, options);
  result.law = fit.law;
  double sum = 0, squares = 0;
  for (auto& run : result.runs) {
    const auto& p = points[run.point];
    run.predicted = fit.law.loss(p.parameters, p.tokens);
    run.one_run = one_run_interval(fit, options, p.parameters, p.tokens);
    const auto error = run.predicted / p.loss - 1;
    sum += error;
    squares += error * error;
    if (std::abs(error) > std::abs(result.worst_error)) result.worst_error = error;
    if (run.one_run.holds(p.loss)) ++result.within;
  }
  const auto count = static_cast<double>(result.runs.size());
  result.mean_error = sum / count;
  result.rms_error = std::sqrt(squares / count);
  return result;
}

}  // namespace trireme
