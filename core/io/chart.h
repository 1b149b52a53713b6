// SPDX-License-Identifier: Apache-2.0
// A chart of numbers against numbers as SVG, readable in a browser, light and dark, and on paper.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace trireme {

struct ChartAxis {
  std::string label = {};
  bool logarithmic = false;
  bool counts = false;  // of many things: 20M and 1.5B instead of 2e7 and 1.5e9
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
  std::vector<ChartPoint> low = {}, high = {};  // a band about a line, whiskers about dots; or empty
  int colour = 0;                               // of eight, which repeat
  std::optional<double> order = {};             // 0 to 1: its place among others, told by its colour
  std::string tag = {};                         // written where the line ends
};

struct Chart {
  std::string title;
  ChartAxis x, y;
  std::vector<ChartSeries> series;
  double width = 720;
  double height = 400;  // the legend's rows come on top
};

/// 20M, 1.5B, 3T: a number of things in `digits` digits.
std::string count_text(double value, int digits);
/// 2e7, 0.25: any number in `digits` digits.
std::string number_text(double value, int digits);

/// The whole file. A chart without a point that can be drawn is an empty frame.
std::string svg_of(const Chart& chart);

/// The same as an element for a page whose style sheet has chart_style().
std::string svg_element(const Chart& chart);
std::string chart_style();

}  // namespace trireme
