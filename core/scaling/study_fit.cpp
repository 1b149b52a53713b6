// SPDX-License-Identifier: Apache-2.0
#include "core/scaling/study_fit.h"

#include <algorithm>

#include "core/base/error.h"

namespace trireme {
namespace {

/// Takes the `count` rows of highest loss out of `points`; the others keep their order.
std::vector<ScalingPoint> drop_highest(std::vector<ScalingPoint>& points, std::size_t count) {
  check_usage(count < points.size(), "{} rows of highest loss cannot be left out of {}", count, points.size());
  std::vector<double> losses;
  for (const auto& p : points) losses.push_back(p.loss);
  std::sort(losses.begin(), losses.end());
  const auto limit = losses[losses.size() - 1 - count];
  const auto kept =
      std::stable_partition(points.begin(), points.end(), [&](const ScalingPoint& p) { return p.loss <= limit; });
  std::vector<ScalingPoint> dropped(kept, points.end());
  points.erase(kept, points.end());
  return dropped;
}

/// `make()`, or why it refused.
template <class Make>
auto attempt(Make make) -> Outcome<decltype(make())> {
  try {
    return {make(), ""};
  } catch (const Error& e) {
    if (e.code() != ExitCode::usage) throw;
    return {std::nullopt, e.what()};
  }
}

template <class Of>
Estimate estimate(const ParametricFit& fit, const BootstrapOptions& options, Of of) {
  return {of(fit.law), percentile_interval(over_resamples(fit, of), options.level)};
}

}  // namespace

Prediction predict_budget(const ParametricFit& fit, const BootstrapOptions& options, double flops) {
  const auto best = fit.law.optimum(flops);
  return {flops,
          estimate(fit, options, [&](const ChinchillaLaw& law) { return law.optimum(flops).parameters; }),
          estimate(fit, options, [&](const ChinchillaLaw& law) { return law.optimum(flops).tokens; }),
          estimate(fit, options, [&](const ChinchillaLaw& law) { return law.optimum(flops).loss; }),
          one_run_interval(fit, options, best.parameters, best.tokens),
          std::nullopt};
}

Prediction predict_sizes(const ParametricFit& fit, const BootstrapOptions& options, double parameters, double tokens) {
  return {6 * parameters * tokens,
          {parameters, {parameters, parameters}},
          {tokens, {tokens, tokens}},
          estimate(fit, options, [&](const ChinchillaLaw& law) { return law.loss(parameters, tokens); }),
          one_run_interval(fit, options, parameters, tokens),
          std::nullopt};
}

StudyFit fit_study(const StudyRows& rows, const FitOptions& options) {
  check_points(rows.points);
  StudyFit study;
  study.rows = rows;
  study.options = options;
  if (options.drop_highest > 0) study.dropped = drop_highest(study.rows.points, options.drop_highest);
  const auto& points = study.rows.points;
  study.parametric = fit_parametric(points, options.bootstrap);
  const auto& bootstrap = options.bootstrap;
  study.envelope = attempt([&] { return fit_envelope(study.rows.curves, bootstrap); });
  study.isoflop = attempt([&] { return fit_isoflop(points, options.isoflop, bootstrap); });
  study.kaplan = attempt([&] { return fit_kaplan(points, bootstrap); });
  study.repetition = attempt([&] { return fit_repetition(points, bootstrap); });
  study.accuracy = attempt([&] { return fit_accuracy(points, options.chance, bootstrap); });
  study.holdout = attempt([&] { return check_holdout(points, options.holdout_flops, bootstrap); });
  for (const auto flops : options.predict_flops) {
    study.predictions.push_back(predict_budget(study.parametric, bootstrap, flops));
  }
  for (const auto& [n, d] : options.predict_sizes) {
    study.predictions.push_back(predict_sizes(study.parametric, bootstrap, n, d));
  }
  if (!study.accuracy.fit) return study;
  for (auto& p : study.predictions) {
    const auto n = p.parameters.value, d = p.tokens.value;
    p.accuracy = Estimate{study.accuracy.fit->accuracy(n, d), study.accuracy.fit->interval(n, d, bootstrap.level)};
  }
  return study;
}

}  // namespace trireme
