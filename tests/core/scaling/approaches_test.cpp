// SPDX-License-Identifier: Apache-2.0
// Approaches 1 and 2, repetition and accuracy: what they find of a known law, and what they refuse.
#include <gtest/gtest.h>

#include <cmath>

#include "core/base/error.h"
#include "core/scaling/accuracy_fit.h"
#include "core/scaling/envelope.h"
#include "core/scaling/isoflop.h"
#include "core/scaling/repetition_fit.h"
#include "core/scaling/study_fit.h"
#include "tests/core/scaling/sample_points.h"

namespace trireme {
namespace {

const ChinchillaLaw kTruth{1.8, 480, 2100, .35, .37};

template <class Fit>
void expect_refused(Fit fit, const std::string& part) {
  try {
    fit();
    ADD_FAILURE() << "accepted; expected: " << part;
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::usage);
    EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
  }
}

TEST(Isoflop, TheNineBudgetsOfHoffmann) {
  const auto points = chinchilla_points(0);
  if (points.empty()) GTEST_SKIP() << "no samples/scaling/chinchilla_points.csv";
  const auto fit =
      fit_isoflop(points, {{6e18, 1e19, 3e19, 6e19, 1e20, 3e20, 6e20, 1e21, 3e21}, 0.12}, {.resamples = 500});
  const std::size_t counts[] = {11, 26, 19, 14, 17, 16, 14, 16, 9};
  ASSERT_EQ(fit.profiles.size(), 9U);
  for (std::size_t i = 0; i < 9; ++i) EXPECT_EQ(fit.profiles[i].points.size(), counts[i]);
  EXPECT_NEAR(fit.lines.parameters.exponent, .499, 1e-3);
  EXPECT_NEAR(fit.lines.tokens.exponent, .501, 1e-3);
  EXPECT_NEAR(fit.lines.parameters.at(5.76e23) / 6.74e10, 1, 5e-3);
  EXPECT_NEAR(fit.lines.tokens.at(5.76e23) / 1.42e12, 1, 5e-3);
}

// A parabola is the truth's Taylor series, cut off: near the minimum it finds it.
TEST(Isoflop, FindsTheOptimumOfALaw) {
  std::vector<ScalingPoint> points;
  for (const double flops : {1e18, 1e19, 1e20}) {
    for (const double factor : {0.7, 0.85, 1.0, 1.18, 1.4}) {
      ScalingPoint p;
      p.parameters = kTruth.optimum(flops).parameters * factor;
      p.flops = flops;
      p.tokens = flops / (6 * p.parameters);
      p.loss = kTruth.loss(p.parameters, p.tokens);
      points.push_back(p);
    }
  }
  const auto fit = fit_isoflop(points, {}, {.resamples = 100});
  ASSERT_EQ(fit.profiles.size(), 3U);
  for (const auto& p : fit.profiles) EXPECT_NEAR(p.parameters / kTruth.optimum(p.flops).parameters, 1, 0.01);
  EXPECT_NEAR(fit.lines.parameters.exponent, kTruth.a(), 1e-3);
}

TEST(Isoflop, SaysWhichMinimumIsNotBracketed) {
  std::vector<ScalingPoint> points;
  for (const double flops : {1e18, 1e19, 1e20}) {
    // At the largest budget all sizes are too small.
    for (const double factor : {0.5, 0.7, 1.0, 1.4, 2.0}) {
      ScalingPoint p;
      p.parameters = kTruth.optimum(flops).parameters * factor * (flops == 1e20 ? 0.2 : 1);
      p.flops = flops;
      p.tokens = flops / (6 * p.parameters);
      p.loss = kTruth.loss(p.parameters, p.tokens);
      points.push_back(p);
    }
  }
  auto fit = fit_isoflop(points, {}, {.resamples = 100});
  EXPECT_NE(fit.profiles[2].problem.find("lies beyond its largest size: train larger ones"), std::string::npos)
      << fit.profiles[2].problem;
  EXPECT_EQ(fit.profiles[0].problem, "");
  points.erase(points.begin(), points.begin() + 5);
  expect_refused([&] { fit_isoflop(points, {}, {.resamples = 100}); }, "IsoFLOP profiles need two budgets");
  expect_refused([&] { fit_isoflop(points, {{5e17, 1e19}, 0.12}, {.resamples = 100}); }, "0 sizes; a parabola needs 3");
}

/// Curves of `sizes` sizes, each up to 8e9 tokens.
std::vector<ScalingPoint> curves_of(std::size_t sizes) {
  std::vector<ScalingPoint> points;
  for (std::size_t i = 0; i < sizes; ++i) {
    const auto n = std::round(1e7 * std::pow(1.4, static_cast<double>(i)));
    for (int step = 0; step < 60; ++step) {
      ScalingPoint p;
      p.run = "size" + std::to_string(i);
      p.parameters = n;
      p.tokens = 1e8 * std::pow(80.0, step / 59.0);
      p.flops = 6 * p.parameters * p.tokens;
      p.loss = kTruth.loss(p.parameters, p.tokens);
      points.push_back(p);
    }
  }
  return points;
}

TEST(Envelope, FindsTheExponentOfALaw) {
  const auto fit = fit_envelope(curves_of(12), {.resamples = 200});
  EXPECT_EQ(fit.runs, 12U);
  // A curve of constant N against the law's N*: sizes are 1.4 apart, and the line averages over their steps.
  EXPECT_NEAR(fit.lines.parameters.exponent, kTruth.a(), 0.03);
  EXPECT_NEAR(fit.lines.parameters.exponent + fit.lines.tokens.exponent, 1, 1e-9);
  for (const auto& p : fit.envelope) {
    EXPECT_GT(p.parameters, 1e7);
    EXPECT_NEAR(p.loss, kTruth.optimum(p.flops).loss, 0.02);  // never far above the best there is
    EXPECT_GE(p.loss, kTruth.optimum(p.flops).loss - 1e-6);
  }
  EXPECT_GT(fit.resamples.size(), 150U);
}

TEST(Envelope, RefusesWhatIsNoCurve) {
  expect_refused([] { fit_envelope({}, {}); }, "there are no training curves");
  const auto points = points_of(kTruth, 4, 4, 0, 1);
  expect_refused([&] { fit_envelope(points, {}); }, "every run here has one row");
  expect_refused([] { fit_envelope(curves_of(2), {}); }, "fewer than two sizes are best");
}

TEST(Repetition, FindsWhatRepetitionIsWorth) {
  const RepetitionLaw truth{kTruth, 5, 15};
  auto points = points_of(kTruth, 5, 5, 0, 1);
  for (auto& p : points) p.unique_tokens = p.tokens;
  const auto fresh = points;
  for (const double n : {2e7, 1e8, 2e9}) {
    for (const double epochs : {2, 8, 40}) {
      ScalingPoint p;
      p.parameters = n;
      p.unique_tokens = 3e8;
      p.tokens = epochs * p.unique_tokens;
      p.flops = 6 * n * p.tokens;
      p.loss = truth.loss(n, p.tokens, p.unique_tokens);
      points.push_back(p);
    }
  }
  const auto fit = fit_repetition(points, {.resamples = 20});
  EXPECT_NEAR(fit.law.r_d / 15, 1, 1e-2);
  EXPECT_NEAR(fit.law.r_n / 5, 1, 1e-2);
  expect_refused([&] { fit_repetition(fresh, {}); }, "0 runs have seen tokens more than once");
}

TEST(Accuracy, RefusesWhatHasNoSignal) {
  auto points = points_of(kTruth, 4, 4, .01, 1);
  expect_refused([&] { fit_accuracy(points, kNotGiven, {}); }, "0 rows have an accuracy");
  for (auto& p : points) p.accuracy = 0.25 + 1e-3 * p.loss;
  expect_refused([&] { fit_accuracy(points, .25, {}); }, "models at chance?");
  points[3].accuracy = 1.5;
  expect_refused([&] { fit_accuracy(points, .25, {}); }, "point 4: accuracy = 1.5");
}

TEST(StudyFit, OneCallFitsWhatTheRowsAllow) {
  StudyRows rows{points_of(kTruth, 6, 5, .005, 9), "non-embedding", "6ND", "memory", curves_of(8)};
  FitOptions options;
  options.bootstrap.resamples = 200;
  options.drop_highest = 1;
  options.predict_flops = {1e21};
  options.predict_sizes = {{1e9, 1e10}};
  const auto study = fit_study(rows, options);
  EXPECT_EQ(study.rows.points.size(), 29U);
  ASSERT_EQ(study.dropped.size(), 1U);
  for (const auto& p : study.rows.points) EXPECT_LT(p.loss, study.dropped[0].loss);
  EXPECT_TRUE(study.envelope.fit && study.isoflop.fit && study.kaplan.fit && study.holdout.fit);
  EXPECT_FALSE(study.repetition.fit);
  EXPECT_NE(study.repetition.refused, "");
  ASSERT_EQ(study.predictions.size(), 2U);
  const auto& p = study.predictions[0];
  EXPECT_TRUE(p.parameters.interval.holds(p.parameters.value));
  EXPECT_TRUE(p.loss.interval.holds(p.loss.value));
  EXPECT_LT(p.one_run.low, p.loss.interval.low);
  EXPECT_GT(p.one_run.high, p.loss.interval.high);
  EXPECT_NEAR(study.predictions[1].loss.value, kTruth.loss(1e9, 1e10), 0.05);
  EXPECT_EQ(study.holdout.fit->runs.size(), 6U);
  EXPECT_LT(study.holdout.fit->rms_error, 0.02);
  rows.points[3].loss = NAN;
  expect_refused([&] { fit_study(rows, options); }, "point 4: loss = nan");
}

}  // namespace
}  // namespace trireme
