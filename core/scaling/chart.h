// SPDX-License-Identifier: Apache-2.0
// A chart as one SVG, light and dark: points, lines, bands over two axes, each linear or logarithmic.
#pragma once

#include <string>
#include <vector>

namespace trireme {

struct ChartPoint {
  double x = 0, y = 0;
  double low = 0, high = 0;  // of a band, or of a bar through the point; equal: none
};

struct ChartSeries {
  enum class Kind { dots, line, dashes, band, bars };  // bars: dots with a vertical interval
  std::string name;                                    // in the legend; empty: not there
  Kind kind = Kind::dots;
  int colour = 0;  // 0 to 7: the same number, the same colour
  std::vector<ChartPoint> points;
};

struct Chart {
  std::string title, x_label, y_label;
  bool log_x = true, log_y = true;
  std::vector<ChartSeries> series;
};

/// The chart; points that are not finite, or not above 0 on a logarithmic axis, are left out.
std::string to_svg(const Chart& chart);

}  // namespace trireme
