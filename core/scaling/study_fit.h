// SPDX-License-Identifier: Apache-2.0
// All laws of one study, fitted to its rows: what `trireme fit` prints, and what a study calls at its end.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/scaling/accuracy_fit.h"
#include "core/scaling/bootstrap.h"
#include "core/scaling/envelope.h"
#include "core/scaling/holdout.h"
#include "core/scaling/isoflop.h"
#include "core/scaling/kaplan_fit.h"
#include "core/scaling/parametric_fit.h"
#include "core/scaling/point.h"
#include "core/scaling/repetition_fit.h"

namespace trireme {

/// What the rows are, and by which conventions; `points` are ends of runs, `curves` (for approach 1; may be empty) rows
/// of runs as they went, with a loss that is smooth.
struct StudyRows {
  std::vector<ScalingPoint> points;
  std::string parameters = "total";  // how N was counted
  std::string flops = "6ND";         // how C was counted
  std::string source;                // the table's path, or the study's name
  std::vector<ScalingPoint> curves = {};
};

struct FitOptions {
  BootstrapOptions bootstrap;
  std::size_t drop_highest = 0;  // outliers: the rows of highest loss, left out of every fit
  double holdout_flops = 0;      // runs of at least so many FLOPs are held out in turn; 0: the largest fifth
  IsoflopOptions isoflop;
  double chance = kNotGiven;                             // floor of the accuracy; not given: fitted
  std::vector<double> predict_flops;                     // budgets to say the optimum of
  std::vector<std::pair<double, double>> predict_sizes;  // N, D to say the loss of
};

/// A number and the interval that the bootstrap gives it.
struct Estimate {
  double value = 0;
  Interval interval;
};

/// What the parametric law expects: at a budget the best N and D, otherwise those that were given.
struct Prediction {
  double flops = 0;
  Estimate parameters, tokens;  // at given N and D without an interval: low = high = value
  Estimate loss;                // of the law
  Interval one_run;  // where the loss of a single run is to be expected: the law's interval and a run's noise
  std::optional<Estimate> accuracy;
};

/// A run that no law was fitted to, and what approach 3's expects of its N and D.
struct PredictedRun {
  ScalingPoint point;
  Prediction expected;
};

/// A fit, or why there is none.
template <class Fit>
struct Outcome {
  std::optional<Fit> fit;
  std::string refused;
};

struct StudyFit {
  StudyRows rows;  // those that were fitted
  FitOptions options;
  std::vector<ScalingPoint> dropped;
  ParametricFit parametric;
  Outcome<EnvelopeFit> envelope;  // approach 1
  Outcome<IsoflopFit> isoflop;    // approach 2
  Outcome<KaplanFit> kaplan;
  Outcome<RepetitionFit> repetition;
  Outcome<AccuracyFit> accuracy;
  Outcome<Holdout> holdout;
  std::vector<Prediction> predictions;
};

/// Fits all. Throws Error(usage) as check_points and check_parametric do; a law that the rows are too few for is
/// refused alone, with its reason.
StudyFit fit_study(const StudyRows& rows, const FitOptions& options);

/// The optimum of a budget, or the loss of N parameters on D tokens.
Prediction predict_budget(const ParametricFit& fit, const BootstrapOptions& options, double flops);
Prediction predict_sizes(const ParametricFit& fit, const BootstrapOptions& options, double parameters, double tokens);

}  // namespace trireme
