// SPDX-License-Identifier: Apache-2.0
// Every law on one table against what SciPy's and NumPy's optimisers found there (tests/golden/scaling_golden.py).
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>

#include "core/io/json.h"
#include "core/scaling/accuracy_fit.h"
#include "core/scaling/isoflop.h"
#include "core/scaling/kaplan_fit.h"
#include "core/scaling/parametric_fit.h"
#include "core/scaling/repetition_fit.h"

namespace trireme {
namespace {

class GoldenFit : public testing::Test {
 protected:
  void SetUp() override {
    golden_ = read_json(TRIREME_SOURCE_DIR "/tests/golden/scaling.json");
    const auto number = [](const nlohmann::json& v) { return v.is_null() ? kNotGiven : v.get<double>(); };
    for (const auto& row : golden_.at("rows")) {
      ScalingPoint p;
      p.parameters = row[0];
      p.tokens = row[1];
      p.flops = 6 * p.parameters * p.tokens;
      p.loss = row[2];
      p.unique_tokens = row[3];
      p.task_loss = number(row[4]);
      p.accuracy = number(row[5]);
      all_.push_back(p);
      if (std::isfinite(p.accuracy)) fresh_.push_back(p);
    }
  }
  double golden(const char* fit, const char* value) const { return golden_.at(fit).at(value); }

  nlohmann::json golden_;
  std::vector<ScalingPoint> all_, fresh_;
};

// Both ends of a search are within what changes the objective by rounding, or by 1e-12 of itself: where it is flat
// along a valley, that is a relative 1e-4 of A and B, and less of all else.
constexpr double kValley = 1e-4;

TEST_F(GoldenFit, Approach3) {
  const auto fit = fit_parametric(fresh_, {.resamples = 0});
  EXPECT_NEAR(fit.objective / golden("approach_3", "objective"), 1, 1e-6);
  EXPECT_NEAR(fit.law.E / golden("approach_3", "E"), 1, kValley);
  EXPECT_NEAR(fit.law.A / golden("approach_3", "A"), 1, 10 * kValley);
  EXPECT_NEAR(fit.law.B / golden("approach_3", "B"), 1, 10 * kValley);
  EXPECT_NEAR(fit.law.alpha / golden("approach_3", "alpha"), 1, kValley);
  EXPECT_NEAR(fit.law.beta / golden("approach_3", "beta"), 1, kValley);
}

TEST_F(GoldenFit, Approach2) {
  const auto fit = fit_isoflop(fresh_, {}, {.resamples = 200});
  const auto& minima = golden_.at("approach_2").at("minima");
  ASSERT_EQ(fit.profiles.size(), minima.size());
  for (std::size_t i = 0; i < minima.size(); ++i) {
    EXPECT_EQ(fit.profiles[i].problem, "");
    EXPECT_EQ(fit.profiles[i].points.size(), 7U);
    EXPECT_NEAR(fit.profiles[i].parameters / minima[i].get<double>(), 1, 1e-9);
    EXPECT_TRUE(fit.profiles[i].interval.holds(fit.profiles[i].parameters));
  }
  EXPECT_NEAR(fit.lines.parameters.exponent, golden("approach_2", "a"), 1e-9);
  EXPECT_NEAR(fit.lines.tokens.exponent, 1 - golden("approach_2", "a"), 1e-9);
}

TEST_F(GoldenFit, Kaplan) {
  const auto fit = fit_kaplan(fresh_, {.resamples = 100});
  EXPECT_NEAR(fit.objective / golden("kaplan", "objective"), 1, 1e-6);
  EXPECT_NEAR(fit.law.alpha_n / golden("kaplan", "alpha_n"), 1, kValley);
  EXPECT_NEAR(fit.law.alpha_d / golden("kaplan", "alpha_d"), 1, kValley);
  EXPECT_NEAR(std::log(fit.law.n_c / golden("kaplan", "n_c")), 0, 10 * kValley);
  EXPECT_NEAR(std::log(fit.law.d_c / golden("kaplan", "d_c")), 0, 10 * kValley);
  EXPECT_EQ(fit.of_parameters.points.size(), 7U);
}

TEST_F(GoldenFit, DataConstrained) {
  const auto fit = fit_repetition(all_, {.resamples = 100});
  EXPECT_EQ(fit.fresh, 28U);
  EXPECT_EQ(fit.repeated, 12U);
  EXPECT_NEAR(fit.objective / golden("data_constrained", "objective"), 1, 1e-4);
  EXPECT_NEAR(fit.law.r_d / golden("data_constrained", "r_d"), 1, 1e-2);
  EXPECT_NEAR(fit.law.r_n / golden("data_constrained", "r_n"), 1, 1e-2);
}

TEST_F(GoldenFit, Accuracy) {
  const auto fit = fit_accuracy(all_, kNotGiven, {.resamples = 100});
  EXPECT_TRUE(fit.own_loss);
  EXPECT_EQ(fit.points, 28U);
  EXPECT_NEAR(fit.law.floor, golden("accuracy", "floor"), 1e-5);
  EXPECT_NEAR(fit.law.ceiling, golden("accuracy", "ceiling"), 1e-5);
  EXPECT_NEAR(fit.law.middle, golden("accuracy", "middle"), 1e-5);
  EXPECT_NEAR(fit.law.width, golden("accuracy", "width"), 1e-5);
  // The law that the table was made of: task loss (L - 1.2) / 2, middle 1.15, width 0.1.
  const auto truth =
      .25 +
      .6 / (1 + std::exp((0.5 * (1.75 + 350 * std::pow(1e9, -.33) + 900 * std::pow(2e10, -.31) - 1.2) - 1.15) / .1));
  EXPECT_NEAR(fit.accuracy(1e9, 2e10), truth, 0.02);
  EXPECT_TRUE(fit.interval(1e9, 2e10, .95).holds(fit.accuracy(1e9, 2e10)));
}

}  // namespace
}  // namespace trireme
