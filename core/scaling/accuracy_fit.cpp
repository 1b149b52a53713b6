// SPDX-License-Identifier: Apache-2.0
#include "core/scaling/accuracy_fit.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/scaling/minimise.h"

namespace trireme {
namespace {

constexpr double kLeastRise = 0.02;

double logistic(double x) { return 1 / (1 + std::exp(-x)); }
double logit(double p) { return std::log(p / (1 - p)); }

/// (middle, log width, logit of how much of what is above the floor is reached, logit of the floor where it is fitted).
AccuracyLaw law_of(std::span<const double> x, double chance) {
  const auto floor = std::isnan(chance) ? logistic(x[3]) : chance;
  return {floor, floor + (1 - floor) * logistic(x[2]), x[0], std::exp(x[1])};
}

/// Sum of squares, with its derivatives by the formula.
Objective objective_of(std::span<const ScalingPoint> points, std::span<const double> weights, double chance) {
  return [=](std::span<const double> x, std::span<double> gradient) {
    const auto law = law_of(x, chance);
    const auto reach = logistic(x[2]);
    std::fill(gradient.begin(), gradient.end(), 0.0);
    double sum = 0;
    for (std::size_t i = 0; i < points.size(); ++i) {
      const auto z = (points[i].task_loss - law.middle) / law.width;
      const auto s = logistic(-z);
      const auto r = law.floor + (law.ceiling - law.floor) * s - points[i].accuracy;
      const auto by = 2 * weights[i] * r, slope = (law.ceiling - law.floor) * s * (1 - s);
      sum += weights[i] * r * r;
      gradient[0] += by * slope / law.width;
      gradient[1] += by * slope * z;
      gradient[2] += by * s * (1 - law.floor) * reach * (1 - reach);
      if (std::isnan(chance)) gradient[3] += by * (1 - reach * s) * law.floor * (1 - law.floor);
    }
    return sum;
  };
}

/// The middle anywhere among the losses, steep and flat, ceilings near and far.
std::vector<std::vector<double>> grid(std::span<const ScalingPoint> points, double chance) {
  const auto [lowest, highest] = std::minmax_element(
      points.begin(), points.end(), [](const auto& x, const auto& y) { return x.task_loss < y.task_loss; });
  const auto low = lowest->task_loss, range = highest->task_loss - low;
  double least = 1;
  for (const auto& p : points) least = std::min(least, p.accuracy);
  std::vector<std::vector<double>> starts;
  for (const double middle : {-0.5, 0.0, 0.3, 0.6, 1.0}) {
    for (const double width : {0.05, 0.15, 0.5}) {
      for (const double reach : {0.0, 2.0}) {
        std::vector<double> start = {low + middle * range, std::log(width * range), reach};
        if (std::isnan(chance)) start.push_back(logit(std::clamp(0.95 * least, 0.01, 0.95)));
        starts.push_back(start);
      }
    }
  }
  return starts;
}

std::vector<ScalingPoint> usable(std::span<const ScalingPoint> points, double chance, bool& own_loss) {
  own_loss = std::any_of(points.begin(), points.end(), [](const auto& p) { return std::isfinite(p.task_loss); });
  std::vector<ScalingPoint> kept;
  for (auto p : points) {
    if (!own_loss) p.task_loss = p.loss;
    if (!std::isfinite(p.accuracy) || !std::isfinite(p.task_loss)) continue;
    check_usage(p.accuracy >= 0 && p.accuracy <= 1, "{}: accuracy = {}; expected 0 to 1", name_of(p, kept.size()),
                p.accuracy);
    p.loss = p.task_loss;  // what step one is about
    kept.push_back(std::move(p));
  }
  check_usage(kept.size() >= 6, "{} rows have an accuracy and a task loss; a curve needs at least 6", kept.size());
  const auto [worst, best] = std::minmax_element(kept.begin(), kept.end(),
                                                 [](const auto& x, const auto& y) { return x.accuracy < y.accuracy; });
  check_usage(best->accuracy - worst->accuracy >= kLeastRise,
              "accuracy goes from {:.4f} to {:.4f} only: there is no rise to fit a curve to (models at chance?)",
              worst->accuracy, best->accuracy);
  check_usage(std::isnan(chance) || (chance >= 0 && chance < best->accuracy),
              "chance = {}: expected 0 or more, and less than the best accuracy, {:.4f}", chance, best->accuracy);
  return kept;
}

}  // namespace

double AccuracyFit::accuracy(double parameters, double tokens) const {
  return law.accuracy(task.law.loss(parameters, tokens));
}

Interval AccuracyFit::interval(double parameters, double tokens, double level) const {
  std::vector<double> values;
  for (std::size_t i = 0; i < resamples.size(); ++i) {
    values.push_back(resamples[i].accuracy(task.resamples[i].loss(parameters, tokens)));
  }
  return percentile_interval(values, level);
}

AccuracyFit fit_accuracy(std::span<const ScalingPoint> points, double chance, const BootstrapOptions& options) {
  AccuracyFit fit;
  const auto kept = usable(points, chance, fit.own_loss);
  fit.points = kept.size();
  fit.task = fit_parametric(kept, options);
  const auto dimensions = std::isnan(chance) ? std::size_t{4} : std::size_t{3};
  Minimiser search(dimensions);
  Minimum best;
  best.value = HUGE_VAL;
  const std::vector<double> once(kept.size(), 1);
  for (const auto& start : grid(kept, chance)) {
    if (auto end = search.from(start, objective_of(kept, once, chance)); end.value < best.value) best = std::move(end);
  }
  best = search.polish(best.x, objective_of(kept, once, chance));
  fit.law = law_of(best.x, chance);
  fit.rms_error = std::sqrt(best.value / static_cast<double>(kept.size()));
  const auto run_of = run_numbers(kept);
  fit.resamples.resize(static_cast<std::size_t>(options.resamples));
  for_each_resample(options, [&](int number) {
    const auto weights = draw_rows(options, number, run_of);
    Minimiser own(dimensions);
    fit.resamples[static_cast<std::size_t>(number)] =
        law_of(own.from(best.x, objective_of(kept, weights, chance)).x, chance);
  });
  return fit;
}

}  // namespace trireme
