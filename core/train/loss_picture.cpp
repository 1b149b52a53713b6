// SPDX-License-Identifier: Apache-2.0
#include "core/train/loss_picture.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/io/atomic_file.h"
#include "core/io/chart.h"
#include "core/io/json.h"

namespace trireme {
namespace {

std::vector<ChartPoint> chart_points(const std::vector<LossPoint>& points) {
  std::vector<ChartPoint> all;
  all.reserve(points.size());
  for (const auto& p : points) all.push_back({static_cast<double>(p.step), p.loss});
  return all;
}

/// Exponential mean over about a hundredth of the run, corrected for its start.
std::vector<LossPoint> running_mean(const std::vector<LossPoint>& points) {
  const auto keep = std::exp(-1.0 / std::max(1.0, static_cast<double>(points.size()) / 100));
  std::vector<LossPoint> mean;
  double sum = 0, weight = 0;
  for (const auto& p : points) {
    sum = keep * sum + (1 - keep) * p.loss;
    weight = keep * weight + (1 - keep);
    mean.push_back({p.step, sum / weight});
  }
  return mean;
}

}  // namespace

LossCurve read_loss_curve(const std::string& metrics_path) {
  const auto text = read_file(metrics_path, std::uint64_t{1} << 32U);
  LossCurve curve;
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find('\n', begin), text.size());
    const auto where = fmt::format("{}:{}", metrics_path, ++number);
    const auto line = parse_json(std::string_view(text).substr(begin, end - begin), where);
    begin = end + 1;
    if (line.contains("exam")) continue;
    const bool validation = line.contains("validation_loss");
    const auto loss = line.find(validation ? "validation_loss" : "loss");
    if (line.contains("skipped") && loss != line.end() && loss->is_null()) continue;  // not a number
    check(loss != line.end() && loss->is_number(), "{}: neither a step nor a validation", where);
    (validation ? curve.validation : curve.training).push_back({json_int(line, "step", where), loss->get<double>()});
  }
  return curve;
}

std::string loss_picture(const LossCurve& curve, const std::string& title) {
  return svg_of({.title = title,
                 .x = {.label = "step"},
                 .y = {.label = "loss in nats: line, training; dots, validation", .logarithmic = true},
                 .series = {{.mark = ChartSeries::Mark::thin, .points = chart_points(curve.training)},
                            {.points = chart_points(running_mean(curve.training))},
                            {.mark = ChartSeries::Mark::dots, .points = chart_points(curve.validation), .colour = 1}}});
}

}  // namespace trireme
