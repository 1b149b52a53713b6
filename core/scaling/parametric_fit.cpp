// SPDX-License-Identifier: Apache-2.0
#include "core/scaling/parametric_fit.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/base/error.h"
#include "core/scaling/huber_sum.h"
#include "core/scaling/minimise.h"

namespace trireme {
namespace {

constexpr std::size_t kParameters = 5;
constexpr std::size_t kCandidates = 16;  // best ends of the grid's searches that are followed to the last digit
constexpr double kScale = 1e3;           // brings sums of 1e-3 to the order of one, which searches are made for

/// (a, b, e, alpha, beta), a and b at the middle of the rows instead of at N = D = 1.
using Theta = std::array<double, kParameters>;

Objective objective_of(const LogRows& rows) {
  return [&rows](std::span<const double> x, std::span<double> gradient) {
    const auto constant = std::exp(x[2]);
    LogSum by;
    const auto sum = huber_sum(rows, {x[0], x[3], x[1], x[4], constant, 1}, by);
    gradient[0] = kScale * by.a;
    gradient[1] = kScale * by.b;
    gradient[2] = kScale * by.constant * constant;
    gradient[3] = kScale * by.alpha;
    gradient[4] = kScale * by.beta;
    return kScale * sum;
  };
}

ChinchillaLaw law_of(std::span<const double> x, const LogRows& rows) {
  return {std::exp(x[2]), std::exp(x[0] + x[3] * rows.mean_n), std::exp(x[1] + x[4] * rows.mean_d), x[3], x[4]};
}

/// Hoffmann et al.'s grid, section D.2.
std::vector<Theta> grid(const LogRows& rows) {
  std::vector<Theta> starts;
  for (int i = 0; i < 4500; ++i) {
    const auto alpha = 0.5 * (i % 5), beta = 0.5 * (i / 5 % 5), e = -1 + 0.5 * (i / 25 % 5);
    const auto a = 5.0 * (i / 125 % 6), b = 5.0 * (i / 750);
    starts.push_back({a - alpha * rows.mean_n, b - beta * rows.mean_d, e, alpha, beta});
  }
  return starts;
}

std::vector<double> residuals_of(std::span<const ScalingPoint> points, const ChinchillaLaw& law) {
  std::vector<double> residuals;
  for (const auto& p : points) residuals.push_back(std::log(p.loss / law.loss(p.parameters, p.tokens)));
  return residuals;
}

std::vector<double> theta_of(const ChinchillaLaw& law, const LogRows& rows) {
  return {std::log(law.A) - law.alpha * rows.mean_n, std::log(law.B) - law.beta * rows.mean_d, std::log(law.E),
          law.alpha, law.beta};
}

}  // namespace

void check_parametric(std::span<const ScalingPoint> points) {
  check_points(points);
  std::vector<double> sizes, tokens, budgets;
  for (const auto& p : points) {
    sizes.push_back(p.parameters);
    tokens.push_back(p.tokens);
    budgets.push_back(p.flops);
  }
  check_usage(
      points.size() > kParameters,
      "{} {} cannot determine the five coefficients of L = E + A/N^alpha + B/D^beta: at least 6 runs are needed",
      points.size(), points.size() == 1 ? "point" : "points");
  const auto n = distinct(sizes).size(), d = distinct(tokens).size();
  check_usage(n >= 3, "{} model {}: how loss falls with N (A, alpha) needs at least 3 sizes; add runs of other sizes",
              n, n == 1 ? "size" : "sizes");
  check_usage(d >= 3, "{} token {}: how loss falls with D (B, beta) needs at least 3; add runs on fewer or more tokens",
              d, d == 1 ? "count" : "counts");
  // Budgets are met to within a step or so.
  check_usage(
      distinct(budgets, 0.02).size() >= 2,
      "all {} runs have one budget, {:.4g} FLOPs: N and D then move together, and what another budget would buy "
      "cannot be told; add runs of at least one other budget",
      points.size(), points[0].flops);
}

ChinchillaLaw refit_parametric(const LogRows& rows, std::span<const double> weights, const ChinchillaLaw& from) {
  const auto part = rows.reweighted(weights);
  const auto objective = objective_of(part);
  Minimiser search(kParameters);
  auto end = search.from(theta_of(from, rows), objective);
  end = search.from(end.x, objective);  // anew: a kink of the objective may have ended the first
  return law_of(end.x, rows);
}

ParametricFit fit_parametric(std::span<const ScalingPoint> points, const BootstrapOptions& options) {
  check_parametric(points);
  const LogRows rows(points);
  const auto objective = objective_of(rows);
  Minimiser search(kParameters);
  std::vector<Minimum> ends;
  for (const auto& start : grid(rows)) ends.push_back(search.from(start, objective));
  const auto better = [](const Minimum& x, const Minimum& y) { return x.value < y.value; };
  std::partial_sort(ends.begin(), ends.begin() + kCandidates, ends.end(), better);
  auto best = ends[0];
  for (std::size_t i = 0; i < kCandidates; ++i) {
    if (auto end = search.polish(ends[i].x, objective); end.value < best.value) best = std::move(end);
  }
  ParametricFit fit;
  fit.law = law_of(best.x, rows);
  check_usage(
      std::isfinite(best.value) && fit.law.alpha > 0 && fit.law.beta > 0,
      "the best fit to these {} runs has alpha = {:.4g} and beta = {:.4g}: loss does not fall with both N and D, "
      "and no budget has a best N; leave out runs that diverged, or add sizes and token counts",
      points.size(), fit.law.alpha, fit.law.beta);
  fit.objective = best.value / kScale;
  fit.starts = ends.size();
  fit.agreeing = static_cast<std::size_t>(
      std::count_if(ends.begin(), ends.end(), [&](const Minimum& m) { return m.value <= best.value * (1 + 1e-4); }));
  fit.residuals = residuals_of(points, fit.law);
  const auto run_of = run_numbers(points);
  fit.resamples.resize(static_cast<std::size_t>(options.resamples));
  for_each_resample(options, [&](int number) {
    fit.resamples[static_cast<std::size_t>(number)] =
        refit_parametric(rows, draw_rows(options, number, run_of), fit.law);
  });
  return fit;
}

}  // namespace trireme
