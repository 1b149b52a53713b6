// SPDX-License-Identifier: Apache-2.0
// The training curves of a study's runs as one table, curves.csv: what approach 1 and pictures are made from.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "launch/run_result.h"
#include "launch/study_results.h"

namespace trireme {

/// Moments of a run's curve, at most: evenly spaced in the logarithm of the steps, from the fiftieth part of them on.
inline constexpr int kCurvePoints = 128;

/// The moments of a run of `steps` steps, ascending, the last step among them.
std::vector<std::int64_t> curve_steps(std::int64_t steps);

/// curves.csv in the study's folder, replaced in one step: for every item that has come to its end, runs before
/// branches, rows of its training loss, smoothed as `train_loss` of the results but over at least ten steps. A branch's
/// rows begin where it leaves its trunk.
void write_curves_csv(const Study& study, const std::vector<StudyItem>& items,
                      const std::vector<std::optional<RunResult>>& results);

}  // namespace trireme
