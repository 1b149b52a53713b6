// SPDX-License-Identifier: Apache-2.0
#include "core/io/chart.h"

#include <gtest/gtest.h>

#include <cmath>

namespace trireme {
namespace {

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

TEST(Chart, LogarithmicAxesPutTheGeometricMiddleInTheMiddle) {
  const auto svg = svg_of({.title = "t",
                           .x = {.label = "C", .logarithmic = true},
                           .y = {.label = "N", .logarithmic = true},
                           .series = {{.points = {{1e15, 1e6}, {1e17, 1e8}, {1e19, 1e10}}}}});
  // 64 to 696 and 352 to 56: the middle point is in the middle of both.
  EXPECT_NE(svg.find("380.0,204.0"), std::string::npos) << svg;
}

TEST(Chart, LinearAxesPutTheMeanInTheMiddle) {
  const auto svg = svg_of({.title = "t", .x = {}, .y = {}, .series = {{.points = {{-2, 5}, {0, 7}, {2, 9}}}}});
  EXPECT_NE(svg.find("380.0,204.0"), std::string::npos) << svg;
}

TEST(Chart, LeavesOutWhatHasNoPlace) {
  const auto svg = svg_of({.title = "t",
                           .x = {},
                           .y = {.logarithmic = true},
                           .series = {{.mark = ChartSeries::Mark::dots,
                                       .points = {{1, 2}, {2, 0}, {3, -1}, {4, NAN}, {INFINITY, 1}, {5, 3}}}}});
  EXPECT_EQ(count(svg, "<circle"), 2U);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(svg.find("inf"), std::string::npos);
}

TEST(Chart, DrawsBandsWhiskersAndALegend) {
  const std::vector<ChartPoint> points{{1, 1}, {2, 2}};
  const std::vector<ChartPoint> low{{1, 0.5}, {2, 1.5}};
  const std::vector<ChartPoint> high{{1, 1.5}, {2, 2.5}};
  const auto svg =
      svg_of({.title = "t",
              .x = {},
              .y = {},
              .series = {{.name = "a < b", .points = points, .low = low, .high = high},
                         {.mark = ChartSeries::Mark::dots, .points = points, .low = low, .high = high, .colour = 9}}});
  EXPECT_EQ(count(svg, "<polygon"), 1U);
  EXPECT_EQ(count(svg, "<line class=\"s1 bold\""), 2U);  // of eight colours the ninth is the second
  EXPECT_EQ(count(svg, " key\""), 1U);
  EXPECT_NE(svg.find("a &lt; b"), std::string::npos);
}

TEST(Chart, LegendsTakeRowsOfTheirOwn) {
  Chart chart{.title = "t", .x = {}, .y = {}, .series = {}};
  for (int i = 0; i < 9; ++i) {
    chart.series.push_back({.name = "a series with a long name", .points = {{0, 0}, {1, 1}}, .order = i / 8.0});
  }
  const auto wide = svg_of(chart);
  EXPECT_NE(wide.find("viewBox=\"0 0 720 454\""), std::string::npos);  // three rows of 18 under 400
  EXPECT_EQ(count(wide, "<polyline class=\"so0 bold\""), 1U);
  EXPECT_EQ(count(wide, "<polyline class=\"so8 bold\""), 1U);
  chart.width = 300;
  EXPECT_NE(svg_of(chart).find("viewBox=\"0 0 300 562\""), std::string::npos);  // nine rows
}

TEST(Chart, WritesNumbersAsPeopleDo) {
  EXPECT_EQ(count_text(1.5e9, 3), "1.5B");
  EXPECT_EQ(count_text(999999, 4), "1M");
  EXPECT_EQ(count_text(999900, 4), "999.9K");
  EXPECT_EQ(count_text(12, 4), "12");
  EXPECT_EQ(count_text(3e19, 4), "3e19");
  EXPECT_EQ(number_text(2e7, 4), "2e7");
  EXPECT_EQ(number_text(2e-7, 4), "2e-7");
  EXPECT_EQ(number_text(0.25, 4), "0.25");
}

TEST(Chart, TagsStandWhereLinesEndAndOverThem) {
  const auto svg =
      svg_of({.title = "t",
              .x = {},
              .y = {},
              .series = {{.points = {{0, 0}, {1, 1}, {NAN, 1}}, .tag = "<3>"}, {.points = {{0, 1}, {1, 0}}}}});
  EXPECT_GT(svg.find("&lt;3&gt;</text>"), svg.rfind("<polyline"));
  EXPECT_NE(svg.find("class=\"tag\" x=\"696.0\""), std::string::npos) << svg;
}

TEST(Chart, AnElementHasTheStyleOfItsPage) {
  const Chart chart{.title = "t", .x = {}, .y = {}, .series = {{.points = {{1, 1}, {2, 2}}}}};
  EXPECT_EQ(svg_element(chart).find("<style>"), std::string::npos);
  EXPECT_NE(svg_of(chart).find("<style>" + chart_style() + "</style>"), std::string::npos);
}

TEST(Chart, DrawsEvenNothing) {
  EXPECT_NE(svg_of({.title = "", .x = {}, .y = {}, .series = {}}).find("</svg>"), std::string::npos);
  const auto one = svg_of({.title = "", .x = {.logarithmic = true}, .y = {}, .series = {{.points = {{3, 3}}}}});
  EXPECT_NE(one.find("</svg>"), std::string::npos);
  EXPECT_EQ(one.find("nan"), std::string::npos);
}

}  // namespace
}  // namespace trireme
