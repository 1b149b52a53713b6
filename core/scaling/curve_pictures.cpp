// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <map>

#include "core/scaling/fit_pictures.h"
#include "core/scaling/picture_table.h"

namespace trireme {
namespace {

constexpr std::size_t kMostNames = 8;  // in a legend

/// One line for each run, in the colour of its size. Of many sizes some are named, the smallest and the largest among
/// them.
std::vector<ChartSeries> lines_of(std::span<const ScalingPoint> curves, double ScalingPoint::*x) {
  const auto numbers = run_numbers(curves);
  const auto orders = size_order(curves);
  std::vector<ChartSeries> lines;
  std::map<double, std::size_t> first_of_size;  // a line of each
  for (std::size_t i = 0; i < curves.size(); ++i) {
    if (numbers[i] >= lines.size()) {
      lines.resize(numbers[i] + 1);
      lines.back().order = orders[i];
      if (std::isfinite(curves[i].parameters)) first_of_size.emplace(curves[i].parameters, numbers[i]);
    }
    lines[numbers[i]].points.push_back({curves[i].*x, curves[i].loss});
  }
  std::vector<std::pair<double, std::size_t>> sizes(first_of_size.begin(), first_of_size.end());
  const auto names = std::min(kMostNames, sizes.size());
  for (std::size_t i = 0; i < names; ++i) {
    const auto& [parameters, line] = sizes[names > 1 ? i * (sizes.size() - 1) / (names - 1) : 0];
    lines[line].name = count_text(parameters, 3) + " parameters";
  }
  // The legend goes from small to large.
  std::stable_sort(lines.begin(), lines.end(), [](const auto& a, const auto& b) { return *a.order < *b.order; });
  return lines;
}

FitPicture against_tokens(std::span<const ScalingPoint> curves) {
  FitPicture picture;
  picture.name = "curves";
  picture.caption =
      "Every run from its beginning to its end: training loss, smoothed, against the tokens that it has seen. Larger "
      "models learn more of each token. A curve that jumps or flattens early tells of a learning rate that does not "
      "fit; its run bends the law.";
  picture.chart.title = "Loss curves of all runs";
  picture.chart.x = {"tokens", true, true};
  picture.chart.y = {"training loss, nats a token", true};
  picture.chart.series = lines_of(curves, &ScalingPoint::tokens);
  PictureTable table("run,parameters,tokens,flops,loss");
  for (const auto& p : curves) table.row(p.run, {p.parameters, p.tokens, p.flops, p.loss});
  picture.csv = table.text();
  return picture;
}

/// The envelope in pieces: where the smallest or the largest size is best it has a gap, which no line may cross.
std::vector<ChartSeries> front_of(const EnvelopeFit& envelope) {
  const auto& points = envelope.envelope;
  double step = INFINITY;  // amounts of compute are evenly spaced in the logarithm
  for (std::size_t i = 1; i < points.size(); ++i) {
    step = std::min(step, std::log(points[i].flops / points[i - 1].flops));
  }
  std::vector<ChartSeries> pieces;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (i == 0 || std::log(points[i].flops / points[i - 1].flops) > 1.5 * step) pieces.push_back({.colour = 1});
    pieces.back().points.push_back({points[i].flops, points[i].loss});
  }
  if (!pieces.empty()) pieces.front().name = "envelope";
  return pieces;
}

FitPicture against_compute(std::span<const ScalingPoint> curves, const EnvelopeFit* envelope) {
  FitPicture picture;
  picture.name = "envelope";
  picture.caption =
      "The same curves against the compute that they have spent. What runs along their lower edge is the best size for "
      "that compute: approach 1 lays its line through those sizes. The edge is drawn where a size between the smallest "
      "and the largest is best.";
  picture.chart.title = "Loss curves against compute";
  picture.chart.x = {"training FLOPs", true};
  picture.chart.y = {"training loss, nats a token", true};
  picture.chart.series = lines_of(curves, &ScalingPoint::flops);
  for (auto& line : picture.chart.series) line.mark = ChartSeries::Mark::thin;
  PictureTable table("flops,parameters,tokens,loss");
  if (envelope != nullptr) {
    for (const auto& p : envelope->envelope) table.row({p.flops, p.parameters, p.tokens, p.loss});
    for (auto& piece : front_of(*envelope)) picture.chart.series.push_back(std::move(piece));
  }
  picture.csv = table.text();
  return picture;
}

}  // namespace

std::vector<double> size_order(std::span<const ScalingPoint> points) {
  double low = INFINITY, high = 0;
  for (const auto& p : points) {
    if (!(p.parameters > 0) || !std::isfinite(p.parameters)) continue;
    low = std::min(low, p.parameters);
    high = std::max(high, p.parameters);
  }
  std::vector<double> orders;
  for (const auto& p : points) {
    const auto order = std::log(p.parameters / low) / std::log(high / low);
    orders.push_back(std::isfinite(order) ? order : 0.5);
  }
  return orders;
}

std::vector<FitPicture> curve_pictures(std::span<const ScalingPoint> curves, const EnvelopeFit* envelope) {
  if (curves.empty()) return {};
  return {against_tokens(curves), against_compute(curves, envelope)};
}

}  // namespace trireme
