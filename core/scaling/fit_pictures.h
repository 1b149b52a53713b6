// SPDX-License-Identifier: Apache-2.0
// The fits of a study as pictures, and the numbers in them as tables.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/io/chart.h"
#include "core/scaling/study_fit.h"

namespace trireme {

struct FitPicture {
  std::string name;     // of the files, without an ending: "residuals", "optimum", ...
  std::string caption;  // how to read it
  Chart chart;
  std::string csv;
};

/// Losses of the runs and of the law against compute, N* and D* against compute with the published lines, loss contours
/// with the runs, residuals, prediction against actual loss with `held_out` among them; and, where there are any,
/// IsoFLOP profiles with their minima and intervals.
std::vector<FitPicture> fit_pictures(const StudyFit& study, std::span<const PredictedRun> held_out);

/// Training curves against tokens, and against compute with the envelope where approach 1 found one; none of no curves.
std::vector<FitPicture> curve_pictures(std::span<const ScalingPoint> curves, const EnvelopeFit* envelope);

/// For each point the place of its size between the smallest and the largest, 0 to 1 in the logarithm: its colour.
std::vector<double> size_order(std::span<const ScalingPoint> points);

}  // namespace trireme
