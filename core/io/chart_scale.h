// SPDX-License-Identifier: Apache-2.0
// One axis of a chart: which values it shows, where on the sheet, and its round numbers. Included by core/io/*.cpp
// only.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "core/io/chart.h"

namespace trireme {

class ChartScale {
 public:
  explicit ChartScale(const ChartAxis& axis) : logarithmic_(axis.logarithmic), counts_(axis.counts) {}

  bool can_show(double value) const { return std::isfinite(value) && (!logarithmic_ || value > 0); }
  void include(double value);
  /// The values are all in: they go from place `from` to `to`, with some room beyond, `margin` of the range.
  void settle(double from, double to, double margin);
  double at(double value) const;
  /// Round numbers, about evenly spread, at most about one in `distance` of the sheet.
  std::vector<double> grid(double distance) const;
  /// One of them as people write it: "2e7", "0.25", or "20M" where things are counted.
  std::string text(double value) const;

 private:
  bool logarithmic_, counts_;
  double low_ = INFINITY, high_ = -INFINITY;
  double from_ = 0, to_ = 1;
};

}  // namespace trireme
