// SPDX-License-Identifier: Apache-2.0
#include "core/scaling/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace trireme {
namespace {

constexpr double kWidth = 760, kHeight = 460, kLeft = 76, kRight = 20, kTop = 44, kBottom = 52;
constexpr int kColours = 8;

using Kind = ChartSeries::Kind;

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '"' ? "&quot;" : std::string(1, c);
  return out;
}

/// One axis: values to places on the sheet.
struct Axis {
  bool logarithmic;
  double first, last;  // on the sheet
  double low = INFINITY, high = -INFINITY;

  bool shows(double v) const { return std::isfinite(v) && (!logarithmic || v > 0); }
  double scaled(double v) const { return logarithmic ? std::log10(v) : v; }
  void take(double v) {
    if (!shows(v)) return;
    low = std::min(low, scaled(v));
    high = std::max(high, scaled(v));
  }
  void finish() {
    if (!(low <= high)) low = 0, high = 1;
    const auto margin = high > low ? 0.04 * (high - low) : 0.5 * (std::abs(high) + 0.1);
    low -= margin;
    high += margin;
  }
  double at(double v) const { return first + (scaled(v) - low) / (high - low) * (last - first); }

  /// Round values for the grid.
  std::vector<double> grid() const {
    std::vector<double> values;
    if (logarithmic && high - low > 1) {
      const auto every = std::max(1, static_cast<int>((high - low) / 8));
      for (int e = static_cast<int>(std::ceil(low)); e <= high; e += every) values.push_back(std::pow(10, e));
      if (values.size() > 2) return values;
    }
    // Less than a few decades: round steps, also along a logarithm.
    const auto from = logarithmic ? std::pow(10, low) : low, to = logarithmic ? std::pow(10, high) : high;
    const auto raw = (to - from) / 7;
    auto step = std::pow(10, std::floor(std::log10(raw)));
    for (const double factor : {2.0, 5.0, 10.0}) {
      if (step < raw) step = std::pow(10, std::floor(std::log10(raw))) * factor;
    }
    values.clear();
    const auto start = std::ceil(from / step);
    for (int i = 0; i < 16 && (start + i) * step <= to; ++i) values.push_back((start + i) * step);
    return values;
  }
};

struct Sheet {
  Axis x, y;
};

Sheet sheet_of(const Chart& chart) {
  Sheet s{{chart.log_x, kLeft, kWidth - kRight}, {chart.log_y, kHeight - kBottom, kTop}};
  for (const auto& series : chart.series) {
    for (const auto& p : series.points) {
      s.x.take(p.x);
      if (series.kind == Kind::band || series.kind == Kind::bars) {
        s.y.take(p.low);
        s.y.take(p.high);
      }
      if (series.kind != Kind::band) s.y.take(p.y);
    }
  }
  s.x.finish();
  s.y.finish();
  return s;
}

std::string grid(const Sheet& s) {
  std::string text;
  for (const auto v : s.y.grid()) {
    text += fmt::format("<line class=\"g\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", kLeft,
                        kWidth - kRight, s.y.at(v), s.y.at(v));
    text += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{:.4g}</text>\n", kLeft - 6, s.y.at(v) + 4,
                        std::abs(v) < 1e-12 ? 0.0 : v);
  }
  for (const auto v : s.x.grid()) {
    text += fmt::format("<line class=\"g\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", s.x.at(v),
                        s.x.at(v), kTop, kHeight - kBottom);
    text += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{:.3g}</text>\n", s.x.at(v),
                        kHeight - kBottom + 16, v);
  }
  return text;
}

std::string band(const ChartSeries& series, const Sheet& s) {
  std::string there, back;
  for (const auto& p : series.points) {
    if (!s.x.shows(p.x) || !s.y.shows(p.low) || !s.y.shows(p.high)) continue;
    there += fmt::format("{:.1f},{:.1f} ", s.x.at(p.x), s.y.at(p.low));
    back = fmt::format("{:.1f},{:.1f} ", s.x.at(p.x), s.y.at(p.high)) + back;
  }
  return fmt::format("<polygon class=\"b c{}\" points=\"{}{}\"/>\n", series.colour % kColours, there, back);
}

std::string drawn(const ChartSeries& series, const Sheet& s) {
  if (series.kind == Kind::band) return band(series, s);
  const auto colour = series.colour % kColours;
  const bool line = series.kind == Kind::line || series.kind == Kind::dashes;
  std::string text =
      line ? fmt::format("<polyline class=\"{} s{}\" points=\"", series.kind == Kind::line ? "l" : "l d", colour) : "";
  for (const auto& p : series.points) {
    if (!s.x.shows(p.x) || !s.y.shows(p.y)) continue;
    const auto x = s.x.at(p.x), y = s.y.at(p.y);
    if (line) {
      text += fmt::format("{:.1f},{:.1f} ", x, y);
      continue;
    }
    if (series.kind == Kind::bars && s.y.shows(p.low) && s.y.shows(p.high)) {
      text += fmt::format("<line class=\"s{}\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", colour, x, x,
                          s.y.at(p.low), s.y.at(p.high));
    }
    text += fmt::format("<circle class=\"c{}\" r=\"3.2\" cx=\"{:.1f}\" cy=\"{:.1f}\"/>\n", colour, x, y);
  }
  return line ? text + "\"/>\n" : text;
}

std::string legend(const Chart& chart) {
  std::string text;
  double y = kTop + 14;
  for (const auto& series : chart.series) {
    if (series.name.empty()) continue;
    text += fmt::format("<rect class=\"c{}\" x=\"{:.0f}\" y=\"{:.0f}\" width=\"12\" height=\"4\"/>",
                        series.colour % kColours, kLeft + 10, y - 6);
    text += fmt::format("<text x=\"{:.0f}\" y=\"{:.0f}\">{}</text>\n", kLeft + 28, y, escaped(series.name));
    y += 15;
  }
  return text;
}

std::string style() {
  constexpr const char* light[] = {"#2563a8", "#c2410c", "#15803d", "#7e22ce",
                                   "#b45309", "#0e7490", "#be185d", "#6b7280"};
  constexpr const char* dark[] = {"#7db3ea", "#fb923c", "#4ade80", "#c084fc",
                                  "#fbbf24", "#22d3ee", "#f472b6", "#9ca3af"};
  std::string text =
      "<style>svg{background:#fff;font:12px sans-serif}text{fill:#333}.g{stroke:#ddd}.l{fill:none;stroke-width:1.8}"
      ".d{stroke-dasharray:6 4;stroke-width:1.2}.b{opacity:.2}.t{font-size:15px;font-weight:bold}";
  for (int i = 0; i < kColours; ++i) text += fmt::format(".c{0}{{fill:{1}}}.s{0}{{stroke:{1}}}", i, light[i]);
  text += "@media(prefers-color-scheme:dark){svg{background:#16181d}text{fill:#ccc}.g{stroke:#333}";
  for (int i = 0; i < kColours; ++i) text += fmt::format(".c{0}{{fill:{1}}}.s{0}{{stroke:{1}}}", i, dark[i]);
  return text + "}</style>\n";
}

}  // namespace

std::string to_svg(const Chart& chart) {
  const auto s = sheet_of(chart);
  auto text = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\">\n<title>{}</title>\n",
      kWidth, kHeight, escaped(chart.title));
  text += style();
  text += fmt::format("<text class=\"t\" x=\"{:.0f}\" y=\"24\">{}</text>\n", kLeft, escaped(chart.title));
  text += grid(s);
  for (const auto& series : chart.series) text += drawn(series, s);
  text += legend(chart);
  text += fmt::format("<text x=\"{:.0f}\" y=\"{:.0f}\" text-anchor=\"middle\">{}</text>\n",
                      (kLeft + kWidth - kRight) / 2, kHeight - 12, escaped(chart.x_label));
  text += fmt::format("<text transform=\"translate(16 {:.0f}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n</svg>\n",
                      (kTop + kHeight - kBottom) / 2, escaped(chart.y_label));
  return text;
}

}  // namespace trireme
