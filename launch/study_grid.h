// SPDX-License-Identifier: Apache-2.0
// The grid of a study: every combination of the values that its axes give to training settings.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/base/config.h"
#include "launch/study_settings.h"

namespace trireme {

inline constexpr std::size_t kMostStudyRuns = 10000;  // more is a mistake in a grid

/// One choice of a value for each axis.
struct GridPoint {
  std::vector<std::pair<std::string, ConfigNode>> values;  // dotted setting, its value
  std::string suffix;                                      // of the names of its runs: "-beta2=0.95"
};

/// All combinations; one point without values where there are no axes. Axes that cannot be are added to problems, at
/// their place in the file.
std::vector<GridPoint> grid_points(const StudySettings& settings, const Places& places, const std::string& path,
                                   Problems& problems);

/// A value that stands in no file.
ConfigNode scalar_node(const std::string& text, const std::string& place);
/// Puts `value` over the tree's setting of this dotted name.
void put_setting(ConfigNode& root, const std::string& dotted, ConfigNode value);

}  // namespace trireme
