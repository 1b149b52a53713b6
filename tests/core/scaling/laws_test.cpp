// SPDX-License-Identifier: Apache-2.0
// Laws against figures that were published or computed elsewhere, and against their own definitions.
#include "core/scaling/laws.h"

#include <gtest/gtest.h>

#include <cmath>

namespace trireme {
namespace {

struct Published {
  ChinchillaLaw law;
  double flops, parameters, tokens, loss;
};

// Coefficients of the paper, of its source files, and of the replication of 2024 (its minimum), and their optima
// computed by others to four digits.
TEST(ChinchillaLaw, OptimaOfPublishedCoefficients) {
  const ChinchillaLaw rounded{1.69, 406.4, 410.7, .34, .28};
  const ChinchillaLaw replication{1.817218, 477.8259, 2143.417, .347310, .367172};
  const Published cases[] = {
      {rounded, 1e21, 1.824e9, 9.136e10, 2.3289},        {rounded, 5.76e23, 3.219e10, 2.982e12, 1.9307},
      {hoffmann_law(), 1e21, 2.217e9, 7.518e10, 2.2955}, {hoffmann_law(), 5.76e23, 4.036e10, 2.379e12, 1.9184},
      {replication, 1e21, 2.792e9, 5.970e10, 2.3045},    {replication, 5.76e23, 7.319e10, 1.312e12, 1.9739}};
  for (const auto& c : cases) {
    const auto found = c.law.optimum(c.flops);
    // A unit of the last digit that is given.
    EXPECT_NEAR(found.parameters / c.parameters, 1, 1e-3) << c.flops;
    EXPECT_NEAR(found.tokens / c.tokens, 1, 1e-3) << c.flops;
    EXPECT_NEAR(found.loss, c.loss, 1e-4) << c.flops;
    EXPECT_NEAR(6 * found.parameters * found.tokens / c.flops, 1, 1e-14);
  }
}

TEST(ChinchillaLaw, NothingNearTheOptimumIsBetter) {
  const auto law = hoffmann_law();
  for (const double flops : {1e15, 1e21, 1e25}) {
    const auto best = law.optimum(flops);
    for (const double factor : {0.8, 0.99, 1.01, 1.2}) {
      EXPECT_GT(law.loss(best.parameters * factor, best.tokens / factor), best.loss);
    }
  }
}

TEST(KaplanLaws, PublishedCheckpoints) {
  const PowerLaw of_parameters{8.8e13, .076};
  EXPECT_NEAR(of_parameters.loss(85e6), 2.87, 0.01);
  EXPECT_NEAR(of_parameters.loss(1e8), 2.830, 0.001);
  EXPECT_NEAR(of_parameters.loss(1e9), 2.376, 0.001);
  // L(N, D) is L(N) where there is data without end, and L(D) where there are parameters without end.
  const KaplanLaw both{6.4e13, 1.8e13, .076, .103};
  EXPECT_NEAR(both.loss(1e8, 1e30), PowerLaw({6.4e13, .076}).loss(1e8), 1e-9);
  EXPECT_NEAR(both.loss(1e30, 1e8), PowerLaw({1.8e13, .103}).loss(1e8), 1e-9);
}

TEST(RepetitionLaw, WhatIsNotRepeatedCountsWhole) {
  const RepetitionLaw law{{1.87, 521, 1488, .353, .353}, 5.31, 15.39};
  EXPECT_EQ(law.effective_tokens(1e9, 1e10), 1e9);
  EXPECT_EQ(law.effective_tokens(1e9, 1e9), 1e9);
  // Four epochs are worth almost four, a thousand at most 1 + r_d.
  const auto four = law.effective_tokens(4e9, 1e9) / 1e9;
  EXPECT_GT(four, 3.6);
  EXPECT_LT(four, 4);
  EXPECT_NEAR(law.effective_tokens(1e12, 1e9) / 1e9, 16.39, 1e-6);
  // Parameters up to the N* of the unique tokens count whole.
  const auto best = law.base.optimum(1e20);
  EXPECT_NEAR(law.effective_parameters(best.parameters * 0.999, best.tokens) / best.parameters, 0.999, 1e-12);
  EXPECT_LT(law.effective_parameters(best.parameters * 3, best.tokens) / best.parameters, 2.9);
  EXPECT_EQ(law.loss(1e8, 1e9, 1e9), law.base.loss(law.effective_parameters(1e8, 1e9), 1e9));
}

TEST(AccuracyLaw, GoesFromCeilingToFloor) {
  const AccuracyLaw law{.25, .9, 1.2, .1};
  EXPECT_NEAR(law.accuracy(1.2), .575, 1e-15);
  EXPECT_NEAR(law.accuracy(100), .25, 1e-12);
  EXPECT_NEAR(law.accuracy(-100), .9, 1e-12);
  EXPECT_NEAR(law.accuracy(1.1), .25 + .65 / (1 + std::exp(-1.0)), 1e-14);
}

TEST(PublishedLines, MeetTheirOwnTables) {
  const auto lines = published_lines();
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_NEAR(lines[0].parameters.at(5.76e23) / 67e9, 1, 0.05);  // table 3: 67e9; its exponent has two digits
  EXPECT_NEAR(lines[1].parameters.at(6.88e23) / 67e9, 1, 0.05);  // table A3
  EXPECT_NEAR(lines[2].parameters.at(5.76e23) / 4.036e10, 1, 1e-3);
  EXPECT_NEAR(lines[3].parameters.at(8.64e19) / 1.3e9, 1, 1e-12);
}

}  // namespace
}  // namespace trireme
