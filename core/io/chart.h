// SPDX-License-Identifier: Apache-2.0
// A chart of numbers against numbers as one SVG file, readable in a browser, light and dark, and on paper.
#pragma once

#include <string>
#include <vector>

namespace trireme {

struct ChartAxis {
  std::string label = {};
  bool logarithmic = false;
};

struct ChartPoint {
  double x = 0.0;
  double y = 0.0;
};

/// Points, or the line through them in their order. What is not finite, or not positive on a logarithmic axis, is left
/// out.
struct ChartSeries {
  enum class Mark { line, thin, dashed, dots } mark = Mark::line;
  std::string name = {};  // in the legend; empty: not there
  std::vector<ChartPoint> points = {};
  std::vector<ChartPoint> low = {}, high = {};  // of the same x: a band about a line, whiskers about dots; or empty
  int colour = 0;                               // of eight, which repeat
};

struct Chart {
  std::string title;
  ChartAxis x, y;
  std::vector<ChartSeries> series;
  double width = 720;
  double height = 400;
};

/// The whole file. A chart without a point that can be drawn is an empty frame.
std::string svg_of(const Chart& chart);

}  // namespace trireme
