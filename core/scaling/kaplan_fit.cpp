// SPDX-License-Identifier: Apache-2.0
#include "core/scaling/kaplan_fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/scaling/huber_sum.h"
#include "core/scaling/isoflop.h"
#include "core/scaling/minimise.h"
#include "core/scaling/parametric_fit.h"

namespace trireme {
namespace {

constexpr double kScale = 1e3;
constexpr double kSameTokens = 0.02;  // token counts are met to within a step or so

/// Of the rows that count the one of least loss for each x, rows of nearly equal x being of one.
std::vector<std::size_t> best_of_each(std::span<const double> x, std::span<const ScalingPoint> points,
                                      std::span<const double> weights) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (weights[i] > 0) order.push_back(i);
  }
  std::sort(order.begin(), order.end(), [&](auto i, auto j) { return x[i] < x[j]; });
  std::vector<std::size_t> best;
  double first = 0;
  for (const auto i : order) {
    if (best.empty() || x[i] > first * (1 + kSameTokens)) {
      best.push_back(i);
      first = x[i];
    } else if (points[i].loss < points[best.back()].loss) {
      best.back() = i;
    }
  }
  return best;
}

PowerLaw power_law(std::span<const double> x, std::span<const ScalingPoint> points, std::span<const std::size_t> rows) {
  std::vector<double> at, loss;
  for (const auto i : rows) {
    at.push_back(x[i]);
    loss.push_back(points[i].loss);
  }
  const auto line = line_through(at, loss);
  return {std::exp(-line.intercept / line.exponent), -line.exponent};
}

PowerFit fit_power(std::span<const double> x, std::span<const ScalingPoint> points, const BootstrapOptions& options) {
  PowerFit fit;
  fit.points = best_of_each(x, points, std::vector<double>(points.size(), 1));
  if (fit.points.size() < 3) {
    fit.refused = fmt::format("{} values; a line with an interval needs at least 3", fit.points.size());
    return fit;
  }
  fit.law = power_law(x, points, fit.points);
  const auto run_of = run_numbers(points);
  fit.resamples.assign(static_cast<std::size_t>(options.resamples), {kNotGiven, kNotGiven});
  for_each_resample(options, [&](int number) {
    const auto rows = best_of_each(x, points, draw_rows(options, number, run_of));
    if (rows.size() >= 2) fit.resamples[static_cast<std::size_t>(number)] = power_law(x, points, rows);
  });
  return fit;
}

/// (a, b, log(alpha_n / alpha_d), log alpha_d), a and b at the middle of the rows.
Objective objective_of(const LogRows& rows) {
  return [&rows](std::span<const double> x, std::span<double> gradient) {
    const auto ratio = std::exp(x[2]), power = std::exp(x[3]);
    LogSum by;
    const auto sum = huber_sum(rows, {x[0], ratio, x[1], 1, 0, power}, by);
    gradient[0] = kScale * by.a;
    gradient[1] = kScale * by.b;
    gradient[2] = kScale * by.alpha * ratio;
    gradient[3] = kScale * by.power * power;
    return kScale * sum;
  };
}

KaplanLaw law_of(std::span<const double> x, const LogRows& rows) {
  const auto ratio = std::exp(x[2]), power = std::exp(x[3]);
  return {std::exp(rows.mean_n + x[0] / ratio), std::exp(rows.mean_d + x[1]), ratio * power, power};
}

/// Exponents from 0.025 to 0.8, and three ways to share the mean loss between the two terms.
std::vector<std::vector<double>> grid(const LogRows& rows) {
  double mean_loss = 0;
  for (const auto l : rows.loss) mean_loss += l / static_cast<double>(rows.loss.size());
  std::vector<std::vector<double>> starts;
  for (const auto power : {.025, .05, .1, .2, .4, .8}) {
    for (const auto alpha : {.025, .05, .1, .2, .4, .8}) {
      for (const auto share : {.1, .5, .9}) {
        const auto inner = mean_loss / power;
        starts.push_back(
            {inner + std::log(share), inner + std::log(1 - share), std::log(alpha / power), std::log(power)});
      }
    }
  }
  return starts;
}

}  // namespace

KaplanFit fit_kaplan(std::span<const ScalingPoint> points, const BootstrapOptions& options) {
  check_parametric(points);
  KaplanFit fit;
  std::vector<double> n, d;
  for (const auto& p : points) {
    n.push_back(p.parameters);
    d.push_back(p.tokens);
  }
  fit.of_parameters = fit_power(n, points, options);
  fit.of_tokens = fit_power(d, points, options);
  const LogRows rows(points);
  const auto objective = objective_of(rows);
  Minimiser search(4);
  Minimum best;
  best.value = HUGE_VAL;
  for (const auto& start : grid(rows)) {
    if (auto end = search.from(start, objective); end.value < best.value) best = std::move(end);
  }
  best = search.polish(best.x, objective);
  fit.law = law_of(best.x, rows);
  fit.objective = best.value / kScale;
  const auto run_of = run_numbers(points);
  fit.resamples.resize(static_cast<std::size_t>(options.resamples));
  for_each_resample(options, [&](int number) {
    const auto part = rows.reweighted(draw_rows(options, number, run_of));
    Minimiser own(4);
    fit.resamples[static_cast<std::size_t>(number)] = law_of(own.from(best.x, objective_of(part)).x, rows);
  });
  return fit;
}

}  // namespace trireme
