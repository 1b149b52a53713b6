// SPDX-License-Identifier: Apache-2.0
#include "core/io/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <string_view>

namespace trireme {
namespace {

constexpr double kLeft = 72, kRight = 24, kTop = 48, kBottom = 48;
constexpr std::size_t kMostPoints = 1000;  // of a line: more than a screen can show
constexpr double kLegendRow = 16;
constexpr std::array<std::string_view, 8> kLight = {"#2563a8", "#c2410c", "#2f7d32", "#7b3fa0",
                                                    "#a16207", "#0e7490", "#be185d", "#4b5563"};
constexpr std::array<std::string_view, 8> kDark = {"#7db3ea", "#fb923c", "#86c98a", "#c39be0",
                                                   "#e2b74f", "#67cfe0", "#f18fb8", "#a3adbb"};

/// Round numbers from `low` to `high`, about evenly spread on a logarithmic scale.
std::vector<double> log_grid(double low, double high) {
  std::vector<double> values;
  const double decades = std::log10(high / low);
  std::vector<double> digits{1};
  if (decades < 4) digits = {1, 2, 5};
  if (decades < 1.3) digits = {1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8};
  const int stride = std::max(1, static_cast<int>(decades / 8));
  for (int exponent = static_cast<int>(std::floor(std::log10(low))); exponent <= std::log10(high); exponent += stride) {
    for (const auto digit : digits) {
      const auto value = digit * std::pow(10.0, exponent);
      if (value >= low && value <= high) values.push_back(value);
    }
  }
  return values;
}

/// Multiples of a round distance from `low` to `high`, about eight of them.
std::vector<double> even_grid(double low, double high) {
  const auto raw = (high - low) / 8;
  const auto power = std::pow(10.0, std::floor(std::log10(raw)));
  double step = 10 * power;
  for (const double factor : {5.0, 2.5, 2.0, 1.0}) {
    if (factor * power >= raw) step = factor * power;
  }
  std::vector<double> values;
  for (double i = std::ceil(low / step); i * step <= high; ++i) values.push_back(i * step);
  return values;
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else {
      out += c;
    }
  }
  return out;
}

/// One axis: which values it shows, and where on the sheet.
class Scale {
 public:
  explicit Scale(bool logarithmic) : logarithmic_(logarithmic) {}

  bool can_show(double value) const { return std::isfinite(value) && (!logarithmic_ || value > 0); }
  void include(double value) {
    if (!can_show(value)) return;
    low_ = std::min(low_, value);
    high_ = std::max(high_, value);
  }
  /// The values are all in: they go from place `from` to `to`, with some room beyond `margin` of the range.
  void settle(double from, double to, double margin) {
    if (!(low_ <= high_)) low_ = high_ = 1;
    if (logarithmic_) {
      const double room = std::max(std::pow(high_ / low_, margin), margin > 0 ? 1.02 : 1.0);
      low_ /= room;
      high_ *= room;
      if (low_ == high_) high_ = 2 * low_;
    } else {
      const double room = (high_ - low_) * margin;
      low_ -= room;
      high_ += room;
      if (low_ == high_) high_ = low_ + 1;
    }
    from_ = from;
    to_ = to;
  }
  double at(double value) const {
    const double part =
        logarithmic_ ? std::log(value / low_) / std::log(high_ / low_) : (value - low_) / (high_ - low_);
    return from_ + part * (to_ - from_);
  }
  std::vector<double> grid() const { return logarithmic_ ? log_grid(low_, high_) : even_grid(low_, high_); }

 private:
  bool logarithmic_;
  double low_ = INFINITY, high_ = -INFINITY;
  double from_ = 0, to_ = 1;
};

/// The chart's two scales and what they make of its series.
class Sheet {
 public:
  explicit Sheet(const Chart& chart) : chart_(chart), x_(chart.x.logarithmic), y_(chart.y.logarithmic) {
    for (const auto& series : chart.series) {
      for (const auto* points : {&series.points, &series.low, &series.high}) {
        for (const auto& p : *points) {
          if (!x_.can_show(p.x) || !y_.can_show(p.y)) continue;
          x_.include(p.x);
          y_.include(p.y);
        }
      }
    }
    x_.settle(kLeft, chart.width - kRight, chart.x.logarithmic ? 0.03 : 0.0);
    y_.settle(chart.height - kBottom, kTop, 0.04);
  }

  std::string grid() const {
    const double right = chart_.width - kRight;
    const double bottom = chart_.height - kBottom;
    std::string text;
    for (const auto v : y_.grid()) {
      text += fmt::format("<line class=\"g\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", kLeft, right,
                          y_.at(v), y_.at(v));
      text += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{:.4g}</text>\n", kLeft - 8,
                          y_.at(v) + 4, v);
    }
    for (const auto v : x_.grid()) {
      text += fmt::format("<line class=\"g\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", x_.at(v),
                          x_.at(v), kTop, bottom);
      text += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{:.4g}</text>\n", x_.at(v),
                          bottom + 18, v);
    }
    text += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n", (kLeft + right) / 2,
                        chart_.height - 8, escaped(chart_.x.label));
    text += fmt::format("<text x=\"{:.1f}\" y=\"40\">{}</text>\n", kLeft, escaped(chart_.y.label));
    return text;
  }

  std::string drawn(const ChartSeries& series) const {
    const int colour = series.colour % static_cast<int>(kLight.size());
    std::string text = around(series, colour);
    if (series.mark == ChartSeries::Mark::dots) {
      for (const auto& p : series.points) {
        if (!visible(p)) continue;
        text += fmt::format("<circle class=\"f{}\" r=\"3.5\" cx=\"{:.1f}\" cy=\"{:.1f}\"/>\n", colour, x_.at(p.x),
                            y_.at(p.y));
      }
      return text;
    }
    return text + fmt::format("<polyline class=\"s{} {}\" points=\"{}\"/>\n", colour, style(series.mark),
                              path(series.points, false));
  }

 private:
  static std::string_view style(ChartSeries::Mark mark) {
    return mark == ChartSeries::Mark::thin ? "thin" : mark == ChartSeries::Mark::dashed ? "dashed" : "bold";
  }

  bool visible(const ChartPoint& p) const { return x_.can_show(p.x) && y_.can_show(p.y); }

  std::string path(const std::vector<ChartPoint>& points, bool backwards) const {
    const auto stride = std::max<std::size_t>(1, points.size() / kMostPoints);
    std::string text;
    for (std::size_t i = 0; i < points.size(); i += stride) {
      const ChartPoint& p = points[backwards ? points.size() - 1 - i : i];
      if (visible(p)) text += fmt::format("{:.1f},{:.1f} ", x_.at(p.x), y_.at(p.y));
    }
    return text;
  }

  /// The band or the whiskers.
  std::string around(const ChartSeries& series, int colour) const {
    const auto count = std::min(series.low.size(), series.high.size());
    if (count == 0) return "";
    if (series.mark != ChartSeries::Mark::dots) {
      return fmt::format("<polygon class=\"f{} band\" points=\"{}{}\"/>\n", colour, path(series.low, false),
                         path(series.high, true));
    }
    std::string text;
    for (std::size_t i = 0; i < count; ++i) {
      if (!visible(series.low[i]) || !visible(series.high[i])) continue;
      text +=
          fmt::format("<line class=\"s{}\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>\n", colour,
                      x_.at(series.low[i].x), x_.at(series.high[i].x), y_.at(series.low[i].y), y_.at(series.high[i].y));
    }
    return text;
  }

  const Chart& chart_;
  Scale x_, y_;
};

std::string colours(std::span<const std::string_view> palette) {
  std::string text;
  for (std::size_t i = 0; i < palette.size(); ++i) {
    text += fmt::format(".s{0}{{stroke:{1}}}.f{0}{{fill:{1}}}", i, palette[i]);
  }
  return text;
}

std::string legend(const Chart& chart) {
  std::string text;
  double y = kTop + 14;
  for (const auto& series : chart.series) {
    if (series.name.empty()) continue;
    const double x = chart.width - kRight - 10;
    const int colour = series.colour % static_cast<int>(kLight.size());
    text += fmt::format("<rect class=\"f{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"10\" height=\"10\"/>", colour, x, y - 9);
    text +=
        fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", x - 6, y, escaped(series.name));
    y += kLegendRow;
  }
  return text;
}

}  // namespace

std::string svg_of(const Chart& chart) {
  const Sheet sheet(chart);
  std::string text = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" role=\"img\">\n"
      "<title>{2}</title>\n"
      "<style>svg{{background:#fff;font:12px sans-serif}}text{{fill:#333}}.g{{stroke:#ddd}}"
      "polyline{{fill:none}}.bold{{stroke-width:2}}.thin{{stroke-width:1;opacity:.35}}"
      ".dashed{{stroke-width:1.5;stroke-dasharray:6 4}}.band{{opacity:.15}}.t{{font-size:15px;font-weight:bold}}{3}"
      "@media(prefers-color-scheme:dark){{svg{{background:#16181d}}text{{fill:#ccc}}.g{{stroke:#333}}{4}}}</style>\n"
      "<text class=\"t\" x=\"{5:.0f}\" y=\"24\">{2}</text>\n",
      chart.width, chart.height, escaped(chart.title), colours(kLight), colours(kDark), kLeft);
  text += sheet.grid();
  for (const auto& series : chart.series) text += sheet.drawn(series);
  return text + legend(chart) + "</svg>\n";
}

}  // namespace trireme
