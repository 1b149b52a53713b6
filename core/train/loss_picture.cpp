// SPDX-License-Identifier: Apache-2.0
#include "core/train/loss_picture.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/io/atomic_file.h"
#include "core/io/json.h"

namespace trireme {
namespace {

constexpr double kWidth = 720, kHeight = 400;
constexpr double kLeft = 64, kRight = 24, kTop = 48, kBottom = 48;
constexpr std::size_t kMostPoints = 1000;  // of a line: more than a screen can show

/// Round numbers from `low` to `high`, about evenly spread on a logarithmic scale.
std::vector<double> log_grid(double low, double high) {
  std::vector<double> values;
  const bool fine = high / low < 20;
  const std::vector<double> digits =
      fine ? std::vector<double>{1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8} : std::vector<double>{1, 2, 5};
  for (int exponent = static_cast<int>(std::floor(std::log10(low))); exponent <= std::log10(high); ++exponent) {
    const auto power = std::pow(10.0, exponent);
    for (const auto digit : digits) {
      if (digit * power >= low && digit * power <= high) values.push_back(digit * power);
    }
  }
  return values;
}

/// A round distance between grid lines, for about `count` of them.
double grid_step(double range, double count) {
  const auto raw = range / count;
  const auto power = std::pow(10.0, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 2.5, 5.0}) {
    if (factor * power >= raw) return factor * power;
  }
  return 10 * power;
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

/// From (step, loss) to places on the sheet; losses on a logarithmic scale.
struct Frame {
  double first, last, low, high;
  double x(double step) const { return kLeft + (step - first) / (last - first) * (kWidth - kLeft - kRight); }
  double y(double loss) const {
    return kHeight - kBottom - std::log(loss / low) / std::log(high / low) * (kHeight - kTop - kBottom);
  }
};

Frame frame_of(const LossCurve& curve) {
  Frame f{0, 1, INFINITY, -INFINITY};
  for (const auto* points : {&curve.training, &curve.validation}) {
    for (const auto& p : *points) {
      f.last = std::max(f.last, static_cast<double>(p.step));
      f.low = std::min(f.low, p.loss);
      f.high = std::max(f.high, p.loss);
    }
  }
  if (!(f.low <= f.high)) f.low = f.high = 1;
  f.low = std::max(f.low, 1e-6) / 1.05;
  f.high = std::max(f.high, f.low) * 1.05;
  return f;
}

std::string line_of(const std::vector<LossPoint>& points, const Frame& f, const char* style) {
  const auto stride = std::max<std::size_t>(1, points.size() / kMostPoints);
  std::string text = fmt::format("<polyline class=\"{}\" points=\"", style);
  for (std::size_t i = 0; i < points.size(); i += stride) {
    text += fmt::format("{:.1f},{:.1f} ", f.x(static_cast<double>(points[i].step)), f.y(points[i].loss));
  }
  return text + "\"/>\n";
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

std::string grid(const Frame& f) {
  std::string text;
  for (const auto v : log_grid(f.low, f.high)) {
    text += fmt::format("<line class=\"g\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", kLeft,
                        kWidth - kRight, f.y(v), f.y(v));
    text +=
        fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{:.4g}</text>\n", kLeft - 8, f.y(v) + 4, v);
  }
  const auto dx = std::max(1.0, grid_step(f.last - f.first, 8));
  for (int i = 0; i * dx <= f.last; ++i) {
    const auto v = i * dx;
    text += fmt::format("<line class=\"g\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", f.x(v), f.x(v),
                        kTop, kHeight - kBottom);
    text += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{:.0f}</text>\n", f.x(v),
                        kHeight - kBottom + 18, v);
  }
  return text;
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
    const bool validation = line.contains("validation_loss");
    const auto loss = line.find(validation ? "validation_loss" : "loss");
    if (line.contains("skipped") && loss != line.end() && loss->is_null()) continue;  // not a number
    check(loss != line.end() && loss->is_number(), "{}: neither a step nor a validation", where);
    (validation ? curve.validation : curve.training).push_back({json_int(line, "step", where), loss->get<double>()});
  }
  return curve;
}

std::string loss_picture(const LossCurve& curve, const std::string& title) {
  const auto f = frame_of(curve);
  auto text = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" role=\"img\">\n"
      "<title>{2}</title>\n"
      "<style>svg{{background:#fff;font:12px sans-serif}}text{{fill:#333}}.g{{stroke:#ddd}}"
      "polyline{{fill:none;stroke:#2563a8}}.raw{{stroke-width:1;opacity:.35}}.mean{{stroke-width:2}}"
      "circle{{fill:#c2410c}}.t{{font-size:15px;font-weight:bold}}"
      "@media(prefers-color-scheme:dark){{svg{{background:#16181d}}text{{fill:#ccc}}.g{{stroke:#333}}"
      "polyline{{stroke:#7db3ea}}circle{{fill:#fb923c}}}}</style>\n"
      "<text class=\"t\" x=\"{3:.0f}\" y=\"24\">{2}</text>\n",
      kWidth, kHeight, escaped(title), kLeft);
  text += grid(f);
  text += line_of(curve.training, f, "raw") + line_of(running_mean(curve.training), f, "mean");
  for (const auto& p : curve.validation) {
    text +=
        fmt::format("<circle r=\"3.5\" cx=\"{:.1f}\" cy=\"{:.1f}\"/>\n", f.x(static_cast<double>(p.step)), f.y(p.loss));
  }
  text += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">step</text>\n", (kLeft + kWidth) / 2,
                      kHeight - 8);
  text += fmt::format(
      "<text x=\"{:.1f}\" y=\"40\" text-anchor=\"end\">loss in nats: line, training; dots, validation</text>\n</svg>\n",
      kWidth - kRight);
  return text;
}

}  // namespace trireme
