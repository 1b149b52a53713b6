// SPDX-License-Identifier: Apache-2.0
#include "launch/study_grid.h"

#include <fmt/format.h>

#include <string_view>

#include "launch/study_names.h"

namespace trireme {
namespace {

/// Settings that something else in the study gives already.
void check_axis(const StudyAxis& axis, const StudySettings& settings, const std::string& where, Problems& problems) {
  if (axis.set.empty()) problems.add(where, "an axis of the grid without `set`, the setting that it varies");
  if (axis.to.empty()) problems.add(where, fmt::format("grid: {} has no values: give `to`", axis.set));
  const auto taken = [&](std::string_view setting, bool by, std::string_view other) {
    if (!by || axis.set != setting) return;
    problems.add(where, fmt::format("grid: {} is set by {} already; vary that instead", setting, other));
  };
  const auto& rules = settings.rules;
  taken("run.dir", true, "the study's folder");
  taken("train.steps", true, "budgets");
  taken("train.seed", true, "seeds");
  taken("optimizer.lr", rules.lr.value > 0, "rules.lr");
  taken("train.global_batch", rules.batch.value > 0, "rules.batch");
  taken("optimizer.schedule.warmup_steps", rules.warmup.value > 0, "rules.warmup");
}

}  // namespace

std::vector<GridPoint> grid_points(const StudySettings& settings, const Places& places, const std::string& path,
                                   Problems& problems) {
  std::vector<GridPoint> points(1);
  for (std::size_t i = 0; i < settings.grid.size(); ++i) {
    const StudyAxis& axis = settings.grid[i];
    const auto hit = places.find(fmt::format("grid[{}].to", i));
    const auto where = hit == places.end() ? path : hit->second;
    check_axis(axis, settings, where, problems);
    std::vector<GridPoint> more;
    for (const auto& text : axis.to) {
      const auto value = parse_yaml(text, where, problems);
      for (const GridPoint& point : points) {
        more.push_back(point);
        more.back().values.emplace_back(axis.set, value);
        more.back().suffix += "-" + file_name_part(axis.set.substr(axis.set.rfind('.') + 1) + "=" + text);
      }
      if (more.size() <= kMostStudyRuns) continue;
      problems.add(where, fmt::format("the grid has more than {} combinations", kMostStudyRuns));
      return {};
    }
    points = std::move(more);
  }
  return points;
}

ConfigNode scalar_node(const std::string& text, const std::string& place) {
  ConfigNode node;
  node.kind = ConfigNode::Kind::scalar;
  node.text = text;
  node.place = place;
  return node;
}

void put_setting(ConfigNode& root, const std::string& dotted, ConfigNode value) {
  for (auto end = dotted.size(); end > 0;) {
    const auto dot = dotted.rfind('.', end - 1);
    const auto begin = dot == std::string::npos ? 0 : dot + 1;
    ConfigNode outer;
    outer.kind = ConfigNode::Kind::map;
    outer.place = value.place;
    outer.keys = {dotted.substr(begin, end - begin)};
    outer.items.push_back(std::move(value));
    value = std::move(outer);
    end = dot == std::string::npos ? 0 : dot;
  }
  merge_node(root, value);
}

}  // namespace trireme
