// SPDX-License-Identifier: Apache-2.0
// What a run's metrics.jsonl tells of its steps, as numbers.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/train/metrics.h"

namespace trireme {

struct RunMetrics {
  std::int64_t steps = 0;           // of the last line
  std::int64_t skipped = 0;         // updates
  double seconds = 0;               // of all its steps, those that were lost not counted
  std::vector<double> losses = {};  // of steps 1, 2, ...; not a number where there is none, or the update was skipped
  std::vector<double> tokens = {};  // trained on after each of these steps; likewise
  double validation_loss = std::numeric_limits<double>::quiet_NaN();  // the last one
  std::map<std::string, double> validation_sets = {};                 // likewise, by the set's name
  std::optional<ExamMetrics> exam = {};                               // the last one
};

/// The steps in the file; none where there is no file. A last line that the end of the job has torn is passed over;
/// throws Error naming file and line for another one that is not ours.
RunMetrics read_metrics(const std::string& path);

/// The mean of the last losses with the weights of half a Gaussian that ends at the last one: its width is a hundredth
/// of them, at least `least_width`, and it is cut after three widths. What is no number does not count; not a number
/// when there is none.
double smoothed_loss(std::span<const double> losses, double least_width = 3);

}  // namespace trireme
