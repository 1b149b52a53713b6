// SPDX-License-Identifier: Apache-2.0
// The objective in vectors against the same formula by the standard library, and its gradient against differences.
#include "core/scaling/huber_sum.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/base/rng.h"

namespace trireme {
namespace {

std::vector<ScalingPoint> random_points(std::size_t count) {
  const Random random(7, "points");
  std::vector<ScalingPoint> points;
  for (std::size_t i = 0; i < count; ++i) {
    ScalingPoint p;
    p.parameters = std::exp(14 + 9 * random.uniform(3 * i));
    p.tokens = std::exp(16 + 12 * random.uniform(3 * i + 1));
    p.loss = 1.5 + 3 * random.uniform(3 * i + 2);
    points.push_back(p);
  }
  return points;
}

double by_formula(const LogRows& rows, const LogSum& at) {
  double sum = 0;
  for (std::size_t i = 0; i < rows.n.size(); ++i) {
    const auto inner = std::exp(at.a - at.alpha * rows.n[i]) + std::exp(at.b - at.beta * rows.d[i]) + at.constant;
    const auto r = std::abs(at.power * std::log(inner) - rows.loss[i]);
    sum += rows.weight[i] * (r <= 1e-3 ? r * r / 2 : 1e-3 * (r - 5e-4));
  }
  return sum;
}

// Every length of a tail after whole vectors; values from where the exponentials vanish to where they are enormous.
TEST(HuberSum, IsItsFormula) {
  const LogSum places[] = {{0.2, 0.35, -0.1, 0.3, 1.7, 1},
                           {25, 2, 25, 2, 0.3, 1},
                           {-40, 0, -30, 0, 2.7, 1},
                           {-60, 2, 0.5, 0, 0.37, 1},
                           {0.1, 0.7, 0.2, 1, 0, 0.103}};
  for (std::size_t count = 1; count <= 34; ++count) {
    const LogRows rows(random_points(count));
    for (const auto& at : places) {
      LogSum unused;
      const auto expected = by_formula(rows, at);
      // Each term is off by a few units of the last place of a logarithm of at most 60.
      EXPECT_NEAR(huber_sum(rows, at, unused), expected, static_cast<double>(count) * 1e-3 * 60 * 8 * 0x1p-53);
    }
  }
}

TEST(HuberSum, ItsGradientIsThatOfDifferences) {
  const auto rows = LogRows(random_points(45));
  const LogSum at{0.2, 0.35, -0.1, 0.3, 1.7, 0.9};
  LogSum gradient, unused;
  huber_sum(rows, at, gradient);
  double LogSum::*const parameters[] = {&LogSum::a,    &LogSum::alpha,    &LogSum::b,
                                        &LogSum::beta, &LogSum::constant, &LogSum::power};
  for (const auto parameter : parameters) {
    auto above = at, below = at;
    const double h = 1e-5;
    above.*parameter += h;
    below.*parameter -= h;
    const auto difference = (by_formula(rows, above) - by_formula(rows, below)) / (2 * h);
    // h^2 of curvature's change where no kink is near, and the rounding of two sums of 0.05 over 2h.
    EXPECT_NEAR(gradient.*parameter, difference, 1e-7);
    EXPECT_GT(std::abs(difference), 1e-4);
  }
}

TEST(HuberSum, WeightsCountRowsAgain) {
  const auto points = random_points(20);
  const LogRows rows(points);
  std::vector<double> weights(20, 0);
  weights[3] = 2;
  weights[11] = 1;
  const auto part = rows.reweighted(weights);
  ASSERT_EQ(part.n.size(), 2U);
  const LogSum at{0.2, 0.35, -0.1, 0.3, 1.7, 1};
  LogSum unused;
  double expected = 0;
  for (const std::size_t i : {3U, 3U, 11U}) {
    const auto n = std::log(points[i].parameters) - rows.mean_n, d = std::log(points[i].tokens) - rows.mean_d;
    expected += huber(std::log(std::exp(.2 - .35 * n) + std::exp(-.1 - .3 * d) + 1.7) - std::log(points[i].loss));
  }
  EXPECT_NEAR(huber_sum(part, at, unused), expected, 1e-15);
}

TEST(HuberSum, Huber) {
  EXPECT_EQ(huber(0), 0);
  EXPECT_DOUBLE_EQ(huber(5e-4), 1.25e-7);
  EXPECT_DOUBLE_EQ(huber(-1e-3), 5e-7);
  EXPECT_DOUBLE_EQ(huber(-2e-3), 1.5e-6);
}

}  // namespace
}  // namespace trireme
