// SPDX-License-Identifier: Apache-2.0
// The loss curve of a run as a picture: one SVG file, readable in a browser, light and dark.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace trireme {

struct LossPoint {
  std::int64_t step = 0;
  double loss = 0.0;
};

struct LossCurve {
  std::vector<LossPoint> training;
  std::vector<LossPoint> validation;
};

/// The points of a metrics.jsonl. Throws Error naming file and line for a line that is not ours.
LossCurve read_loss_curve(const std::string& metrics_path);
/// The picture: each step's loss thin, its running mean bold, validation as dots; `title` above.
std::string loss_picture(const LossCurve& curve, const std::string& title);

}  // namespace trireme
