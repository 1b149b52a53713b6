// SPDX-License-Identifier: Apache-2.0
// Tables of a known law with noise: how often the truth lies in its interval.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>

#include "core/scaling/holdout.h"
#include "core/scaling/parametric_fit.h"
#include "tests/core/scaling/sample_points.h"

namespace trireme {
namespace {

// Of 200 tables 95 % should hold the truth. The count is binomial: below 200 p - 3.3 sqrt(200 p (1 - p)) = 179.8 once
// in two thousand times.
TEST(Coverage, TheTruthIsInItsIntervalAtTheStatedRate) {
  const ChinchillaLaw truth{1.8, 480, 2100, .35, .37};
  constexpr int kTables = 200, kAtLeast = 179;
  int alpha = 0, a = 0, parameters = 0, loss = 0, one_run = 0;
  for (int table = 0; table < kTables; ++table) {
    const auto seed = static_cast<std::uint64_t>(table) + 1;
    const auto points = points_of(truth, 10, 6, .01, seed);
    const LogRows rows(points);
    const std::vector<double> once(points.size(), 1);
    const BootstrapOptions options{.resamples = 400, .seed = seed};
    // The truth is as good a start as any, and a grid of them 200 times would take minutes.
    ParametricFit fit;
    fit.law = refit_parametric(rows, once, truth);
    const auto run_of = run_numbers(points);
    for (int i = 0; i < options.resamples; ++i) {
      fit.resamples.push_back(refit_parametric(rows, draw_rows(options, i, run_of), fit.law));
    }
    for (const auto& p : points) fit.residuals.push_back(std::log(p.loss / fit.law.loss(p.parameters, p.tokens)));
    const auto holds = [&](auto of) { return percentile_interval(over_resamples(fit, of), .95).holds(of(truth)); };
    alpha += holds([](const ChinchillaLaw& l) { return l.alpha; });
    a += holds([](const ChinchillaLaw& l) { return l.a(); });
    parameters += holds([](const ChinchillaLaw& l) { return l.optimum(1e21).parameters; });
    loss += holds([](const ChinchillaLaw& l) { return l.optimum(1e21).loss; });
    const auto next = points_of({truth.E, truth.A, truth.B, truth.alpha, truth.beta}, 10, 6, .01, 1000 + seed)[33];
    one_run += one_run_interval(fit, options, next.parameters, next.tokens).holds(next.loss);
  }
  for (const auto count : {alpha, a, parameters, loss, one_run}) EXPECT_GE(count, kAtLeast);
  // Intervals of everything would pass the above.
  for (const auto count : {alpha, a, parameters, loss, one_run}) EXPECT_LT(count, kTables);
  std::printf("of 200: alpha %d, a %d, N* %d, loss %d, a single run %d\n", alpha, a, parameters, loss, one_run);
}

}  // namespace
}  // namespace trireme
