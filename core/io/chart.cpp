// SPDX-License-Identifier: Apache-2.0
#include "core/io/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <string_view>

#include "core/io/chart_scale.h"
#include "core/io/html_page.h"

namespace trireme {
namespace {

constexpr double kLeft = 64, kRight = 24, kTop = 56, kBottom = 48;
constexpr double kEdge = 8;               // of words
constexpr std::size_t kMostPoints = 400;  // of a line: more than a screen can show
constexpr double kLegendRow = 18, kSwatch = 26;
constexpr double kLetter = 6.1;  // about the width of one, at 12 px
constexpr std::array<std::string_view, 8> kLight = {"#2563a8", "#c2410c", "#2f7d32", "#7b3fa0",
                                                    "#a16207", "#0e7490", "#be185d", "#4b5563"};
constexpr std::array<std::string_view, 8> kDark = {"#7db3ea", "#fb923c", "#86c98a", "#c39be0",
                                                   "#e2b74f", "#67cfe0", "#f18fb8", "#a3adbb"};
// From small to large: neighbours alike, ends apart, all legible.
constexpr std::array<std::string_view, 9> kLightOrder = {"#5b2a86", "#4447a3", "#2a6db5", "#13818f", "#27895a",
                                                         "#5f8a22", "#96801a", "#b9631a", "#b3322b"};
constexpr std::array<std::string_view, 9> kDarkOrder = {"#b58be6", "#8f9bf0", "#6db4f2", "#58c9d3", "#68d39a",
                                                        "#a8d35f", "#e0c94f", "#f5a55a", "#f5827a"};

/// The class of what is drawn in a series' colour: "s" its lines, "f" its areas.
std::string colour_class(char kind, const ChartSeries& series) {
  if (!series.order) return fmt::format("{}{}", kind, series.colour % static_cast<int>(kLight.size()));
  const double last = static_cast<double>(kLightOrder.size() - 1);
  const auto place = std::isfinite(*series.order) ? std::lround(std::clamp(*series.order, 0.0, 1.0) * last) : 0;
  return fmt::format("{}o{}", kind, place);
}

std::string_view style(ChartSeries::Mark mark) {
  return mark == ChartSeries::Mark::thin ? "thin" : mark == ChartSeries::Mark::dashed ? "dashed" : "bold";
}

double text_width(std::string_view text) {
  const auto letters = std::count_if(text.begin(), text.end(), [](unsigned char c) { return (c & 0xC0U) != 0x80U; });
  return kLetter * static_cast<double>(letters);
}

/// The names of the series in rows above the plot, each after a sample of its line.
class Legend {
 public:
  explicit Legend(const Chart& chart) {
    double x = kEdge;
    for (const auto& series : chart.series) {
      if (series.name.empty()) continue;
      const double width = kSwatch + text_width(series.name) + 16;
      if (rows_ == 0 || (x > kEdge && x + width > chart.width - kEdge + 16)) {
        ++rows_;
        x = kEdge;
      }
      text_ += entry(series, x, 24 + kLegendRow * rows_);
      x += width;
    }
  }

  double height() const { return kLegendRow * rows_; }
  const std::string& text() const { return text_; }

 private:
  static std::string entry(const ChartSeries& series, double x, double y) {
    const auto sample =
        series.mark == ChartSeries::Mark::dots
            ? fmt::format("<circle class=\"{}\" r=\"4\" cx=\"{:.1f}\" cy=\"{:.1f}\"/>", colour_class('f', series),
                          x + 14, y - 4)
            : fmt::format("<line class=\"{} {} key\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>",
                          colour_class('s', series), style(series.mark), x, x + 20, y - 4, y - 4);
    return sample +
           fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", x + kSwatch, y, html_escaped(series.name));
  }

  int rows_ = 0;
  std::string text_;
};

/// The chart's two scales and what they make of its series.
class Sheet {
 public:
  Sheet(const Chart& chart, double legend)
      : chart_(chart), x_(chart.x), y_(chart.y), top_(kTop + legend), bottom_(chart.height + legend - kBottom) {
    bool dots = false;
    for (const auto& series : chart.series) {
      dots = dots || series.mark == ChartSeries::Mark::dots;
      for (const auto* points : {&series.points, &series.low, &series.high}) {
        for (const auto& p : *points) {
          if (!visible(p)) continue;
          x_.include(p.x);
          y_.include(p.y);
        }
      }
    }
    x_.settle(kLeft, chart.width - kRight, chart.x.logarithmic || dots ? 0.03 : 0.0);
    y_.settle(bottom_, top_, 0.04);
  }

  std::string grid() const {
    const double right = chart_.width - kRight;
    std::string text;
    for (const auto v : y_.grid(32)) {
      text += fmt::format("<line class=\"g\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", kLeft, right,
                          y_.at(v), y_.at(v));
      text += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", kLeft - 8, y_.at(v) + 4,
                          y_.text(v));
    }
    for (const auto v : x_.grid(56)) {
      text += fmt::format("<line class=\"g\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", x_.at(v),
                          x_.at(v), top_, bottom_);
      text += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n", x_.at(v), bottom_ + 18,
                          x_.text(v));
    }
    text += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n", (kLeft + right) / 2,
                        bottom_ + 40, html_escaped(chart_.x.label));
    text += fmt::format("<text x=\"8\" y=\"{:.1f}\">{}</text>\n", top_ - 10, html_escaped(chart_.y.label));
    return text;
  }

  std::string drawn(const ChartSeries& series) const {
    std::string text = around(series);
    if (series.mark == ChartSeries::Mark::dots) {
      for (const auto& p : series.points) {
        if (!visible(p)) continue;
        text += fmt::format("<circle class=\"{}\" r=\"3.5\" cx=\"{:.1f}\" cy=\"{:.1f}\"/>\n", colour_class('f', series),
                            x_.at(p.x), y_.at(p.y));
      }
      return text;
    }
    return text + fmt::format("<polyline class=\"{} {}\" points=\"{}\"/>\n", colour_class('s', series),
                              style(series.mark), path(series.points, false));
  }

  std::string tag(const ChartSeries& series) const {
    if (series.tag.empty()) return "";
    const auto last = std::find_if(series.points.rbegin(), series.points.rend(), [&](auto& p) { return visible(p); });
    if (last == series.points.rend()) return "";
    return fmt::format("<text class=\"tag\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", x_.at(last->x),
                       y_.at(last->y) - 4, html_escaped(series.tag));
  }

 private:
  bool visible(const ChartPoint& p) const { return x_.can_show(p.x) && y_.can_show(p.y); }

  /// Of more points than can be told apart every so many, and the last.
  std::string path(const std::vector<ChartPoint>& points, bool backwards) const {
    const auto stride = std::max<std::size_t>(1, points.size() / kMostPoints);
    std::string text;
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (i % stride != 0 && i + 1 != points.size()) continue;
      const ChartPoint& p = points[backwards ? points.size() - 1 - i : i];
      if (visible(p)) text += fmt::format("{:.1f},{:.1f} ", x_.at(p.x), y_.at(p.y));
    }
    return text;
  }

  /// The band or the whiskers.
  std::string around(const ChartSeries& series) const {
    const auto count = std::min(series.low.size(), series.high.size());
    if (count == 0) return "";
    if (series.mark != ChartSeries::Mark::dots) {
      return fmt::format("<polygon class=\"{} band\" points=\"{}{}\"/>\n", colour_class('f', series),
                         path(series.low, false), path(series.high, true));
    }
    std::string text;
    for (std::size_t i = 0; i < count; ++i) {
      if (!visible(series.low[i]) || !visible(series.high[i])) continue;
      text += fmt::format("<line class=\"{} bold\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>\n",
                          colour_class('s', series), x_.at(series.low[i].x), x_.at(series.high[i].x),
                          y_.at(series.low[i].y), y_.at(series.high[i].y));
    }
    return text;
  }

  const Chart& chart_;
  ChartScale x_, y_;
  double top_, bottom_;
};

std::string colours(const std::string& name, std::span<const std::string_view> palette) {
  std::string text;
  for (std::size_t i = 0; i < palette.size(); ++i) {
    text += fmt::format(".chart .s{0}{1}{{stroke:{2}}}.chart .f{0}{1}{{fill:{2}}}", name, i, palette[i]);
  }
  return text;
}

std::string drawing(const Chart& chart, const std::string& style) {
  const Legend legend(chart);
  const Sheet sheet(chart, legend.height());
  const auto title = html_escaped(chart.title);
  std::string text = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\">\n"
      "<title>{}</title>\n{}<text class=\"t\" x=\"8\" y=\"24\">{}</text>\n",
      chart.width, chart.height + legend.height(), title, style, title);
  text += legend.text() + sheet.grid();
  for (const auto& series : chart.series) text += sheet.drawn(series);
  for (const auto& series : chart.series) text += sheet.tag(series);  // over all lines
  return text + "</svg>\n";
}

}  // namespace

std::string chart_style() {
  // A browser that prints asks for the light colours.
  return ".chart{background:#fff;font:12px sans-serif}.chart text{fill:#333}.chart .g{stroke:#ddd}"
         ".chart polyline{fill:none}.chart .bold{stroke-width:2}.chart .thin{stroke-width:1;opacity:.35}"
         ".chart .dashed{stroke-width:1.5;stroke-dasharray:6 4}.chart .band{opacity:.15}.chart .key{opacity:1}"
         ".chart .t{font-size:15px;font-weight:bold}"
         ".chart .tag{font-size:11px;paint-order:stroke;stroke:#fff;stroke-width:4px;stroke-linejoin:round}" +
         colours("", kLight) + colours("o", kLightOrder) +
         "\n@media screen and (prefers-color-scheme:dark){.chart{background:#16181d}.chart text{fill:#ccc}"
         ".chart .g{stroke:#333}.chart .tag{stroke:#16181d}" +
         colours("", kDark) + colours("o", kDarkOrder) + "}";
}

std::string svg_of(const Chart& chart) { return drawing(chart, "<style>" + chart_style() + "</style>\n"); }

std::string svg_element(const Chart& chart) { return drawing(chart, ""); }

}  // namespace trireme
