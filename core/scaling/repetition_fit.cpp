// SPDX-License-Identifier: Apache-2.0
#include "core/scaling/repetition_fit.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/scaling/huber_sum.h"
#include "core/scaling/minimise.h"
#include "core/scaling/parametric_fit.h"

namespace trireme {
namespace {

constexpr double kScale = 1e3;
constexpr double kLeast = -3, kMost = 9;  // log of r: from nothing at the second sight to 8,100 epochs as good as new
constexpr double kStep = 1e-5;            // of differences in log r

bool repeats(const ScalingPoint& p) { return p.tokens > p.unique_tokens * (1 + 1e-6); }

RepetitionLaw law_of(const ChinchillaLaw& base, std::span<const double> x) {
  return {base, std::exp(std::clamp(x[1], kLeast, kMost)), std::exp(std::clamp(x[0], kLeast, kMost))};
}

double sum_of(std::span<const ScalingPoint> points, std::span<const double> weights, const RepetitionLaw& law) {
  double sum = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const auto& p = points[i];
    if (weights[i] == 0) continue;
    sum += weights[i] * huber(std::log(law.loss(p.parameters, p.tokens, p.unique_tokens) / p.loss));
  }
  return sum;
}

/// (log r_d, log r_n); the gradient by central differences, good to 1e-9 of the sum's size.
Objective objective_of(std::span<const ScalingPoint> points, std::span<const double> weights,
                       const ChinchillaLaw& base) {
  return [=](std::span<const double> x, std::span<double> gradient) {
    double at[2] = {x[0], x[1]};
    for (int i = 0; i < 2; ++i) {
      at[i] = x[static_cast<std::size_t>(i)] + kStep;
      const auto above = sum_of(points, weights, law_of(base, at));
      at[i] = x[static_cast<std::size_t>(i)] - kStep;
      const auto below = sum_of(points, weights, law_of(base, at));
      at[i] = x[static_cast<std::size_t>(i)];
      gradient[static_cast<std::size_t>(i)] = kScale * (above - below) / (2 * kStep);
    }
    return kScale * sum_of(points, weights, law_of(base, at));
  };
}

/// What the unique tokens call for is exceeded by some row: without one nothing is known of r_n.
bool has_excess(std::span<const ScalingPoint> points, const ChinchillaLaw& base) {
  const RepetitionLaw nothing_more{base, 1e-9, 1};
  return std::any_of(points.begin(), points.end(), [&](const ScalingPoint& p) {
    return nothing_more.effective_parameters(p.parameters, std::min(p.tokens, p.unique_tokens)) < p.parameters / 1.05;
  });
}

}  // namespace

RepetitionFit fit_repetition(std::span<const ScalingPoint> points, const BootstrapOptions& options) {
  std::vector<ScalingPoint> fresh, repeated;
  for (const auto& p : points) {
    if (std::isfinite(p.unique_tokens) && p.unique_tokens > 0) (repeats(p) ? repeated : fresh).push_back(p);
  }
  check_usage(
      repeated.size() >= 3,
      "{} runs have seen tokens more than once (more tokens than unique_tokens); what repetition is worth needs "
      "at least 3",
      repeated.size());
  const auto base = fit_parametric(fresh, {.resamples = 0}).law;
  const bool excess = has_excess(repeated, base);
  RepetitionFit fit;
  fit.fresh = fresh.size();
  fit.repeated = repeated.size();
  Minimiser search(2);
  Minimum best;
  best.value = HUGE_VAL;
  const std::vector<double> once(repeated.size(), 1);
  for (const double r_d : {0.0, 1.5, 3.0, 4.5}) {
    for (const double r_n : {0.0, 1.5, 3.0, 4.5}) {
      const double start[] = {r_d, r_n};
      auto end = search.from(start, objective_of(repeated, once, base));
      if (end.value < best.value) best = std::move(end);
    }
  }
  fit.law = law_of(base, best.x);
  fit.objective = best.value / kScale;
  // One draw for both: a run's rows may be on either side.
  std::vector<ScalingPoint> all = fresh;
  all.insert(all.end(), repeated.begin(), repeated.end());
  const auto run_of = run_numbers(all);
  const LogRows rows(fresh);
  fit.resamples.resize(static_cast<std::size_t>(options.resamples));
  for_each_resample(options, [&](int number) {
    const auto weights = draw_rows(options, number, run_of);
    const auto own_base = refit_parametric(rows, std::span(weights).first(fresh.size()), base);
    const auto objective = objective_of(repeated, std::span(weights).subspan(fresh.size()), own_base);
    Minimiser own(2);
    auto& law = fit.resamples[static_cast<std::size_t>(number)];
    law = law_of(own_base, own.from(best.x, objective, 1e-8).x);
    if (!excess) law.r_n = kNotGiven;
  });
  if (!excess) fit.law.r_n = kNotGiven;
  return fit;
}

}  // namespace trireme
