// SPDX-License-Identifier: Apache-2.0
#include "core/scaling/point.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "core/base/error.h"

namespace trireme {

std::string name_of(const ScalingPoint& point, std::size_t index) {
  const auto place = point.line > 0 ? fmt::format("line {}", point.line) : fmt::format("point {}", index + 1);
  return point.run.empty() ? place : fmt::format("{} (run {})", place, point.run);
}

std::vector<double> distinct(std::vector<double> values, double tolerance) {
  std::sort(values.begin(), values.end());
  std::vector<double> kept;
  for (const auto v : values) {
    if (kept.empty() || v - kept.back() > tolerance * std::abs(v)) kept.push_back(v);
  }
  return kept;
}

void check_points(std::span<const ScalingPoint> points) {
  std::map<std::tuple<double, double, double>, std::size_t> seen;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const auto& p = points[i];
    const std::pair<const char*, double> values[] = {
        {"parameters", p.parameters}, {"tokens", p.tokens}, {"FLOPs", p.flops}, {"loss", p.loss}};
    for (const auto& [what, value] : values) {
      check_usage(std::isfinite(value) && value > 0,
                  "{}: {} = {}; expected a positive number: leave the row out (a run that failed or diverged belongs "
                  "to no fit)",
                  name_of(p, i), what, value);
    }
    const auto [first, is_new] = seen.try_emplace({p.parameters, p.tokens, p.loss}, i);
    check_usage(is_new,
                "{} and {} are the same: N = {}, D = {}, loss = {}; a run that counts twice narrows every "
                "interval: leave one out",
                name_of(points[first->second], first->second), name_of(p, i), p.parameters, p.tokens, p.loss);
  }
}

std::vector<std::size_t> run_numbers(std::span<const ScalingPoint> points) {
  std::map<std::string, std::size_t> numbers;
  std::vector<std::size_t> result;
  std::size_t next = 0;
  for (const auto& p : points) {
    if (p.run.empty()) {
      result.push_back(next++);
      continue;
    }
    const auto [at, is_new] = numbers.try_emplace(p.run, next);
    if (is_new) ++next;
    result.push_back(at->second);
  }
  return result;
}

}  // namespace trireme
