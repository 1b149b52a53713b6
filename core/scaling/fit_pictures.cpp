// SPDX-License-Identifier: Apache-2.0
#include "core/scaling/fit_pictures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/io/atomic_file.h"
#include "core/io/chart.h"
#include "core/scaling/csv.h"

namespace trireme {
namespace {

/// A place, and an interval about its y.
struct Place {
  double x = 0, y = 0, low = NAN, high = NAN;
};

enum class Kind { dots, line, dashes, band, bars };  // band: a line with its intervals; bars: dots with them

struct Series {
  std::string name;
  Kind kind = Kind::dots;
  int colour = 0;
  std::vector<Place> points;
};

struct Picture {
  std::string title, x_label, y_label;
  bool log_x = true, log_y = true;
  std::vector<Series> series;
};

std::string to_svg(const Picture& picture) {
  using Mark = ChartSeries::Mark;
  Chart chart{picture.title, {picture.x_label, picture.log_x}, {picture.y_label, picture.log_y}, {}, 760, 460};
  for (const auto& series : picture.series) {
    ChartSeries drawn;
    drawn.mark = series.kind == Kind::line || series.kind == Kind::band ? Mark::line
                 : series.kind == Kind::dashes                          ? Mark::dashed
                                                                        : Mark::dots;
    drawn.name = series.name;
    drawn.colour = series.colour;
    for (const auto& p : series.points) {
      drawn.points.push_back({p.x, p.y});
      if (series.kind != Kind::band && series.kind != Kind::bars) continue;
      drawn.low.push_back({p.x, p.low});
      drawn.high.push_back({p.x, p.high});
    }
    chart.series.push_back(std::move(drawn));
  }
  return svg_of(chart);
}

/// Lines of numbers under column names.
class CsvText {
 public:
  explicit CsvText(const std::string& columns) : text_(columns + "\n") {}
  void row(std::initializer_list<double> values, const std::string& first = "-") {
    std::string line = first == "-" ? "" : csv_value(std::string_view(first)) + ",";
    for (const auto v : values) line += csv_value(v) + ",";
    line.back() = '\n';
    text_ += line;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

/// `count` budgets from the smallest that was run to a hundred times the largest.
std::vector<double> budgets(const StudyFit& study, int count) {
  double low = INFINITY, high = 0;
  for (const auto& p : study.rows.points) {
    low = std::min(low, p.flops);
    high = std::max(high, p.flops);
  }
  std::vector<double> values;
  for (int i = 0; i < count; ++i) values.push_back(low * std::pow(100 * high / low, i / (count - 1.0)));
  return values;
}

FitPicture residuals(const StudyFit& study) {
  Picture chart{
      "Residuals: measured over fitted loss", "training FLOPs", "loss / law - 1, percent", true, false, {Series{}}};
  CsvText csv("run,parameters,tokens,flops,loss,fitted,log_residual");
  for (std::size_t i = 0; i < study.rows.points.size(); ++i) {
    const auto& p = study.rows.points[i];
    const auto r = study.parametric.residuals[i];
    chart.series[0].points.push_back({p.flops, 100 * std::expm1(r)});
    csv.row({p.parameters, p.tokens, p.flops, p.loss, p.loss * std::exp(-r), r}, p.run);
  }
  return {"residuals", to_svg(chart), csv.text()};
}

FitPicture prediction(const StudyFit& study) {
  Picture chart{
      "Prediction against actual loss", "fitted or predicted loss, nats", "measured loss, nats", false, false, {}};
  Series fitted{"fitted", Kind::dots, 0, {}}, held{"held out, predicted from the smaller budgets", Kind::dots, 1, {}};
  Series equal{"", Kind::dashes, 7, {}};
  CsvText csv("run,parameters,tokens,loss,fitted,held_out_prediction,low,high");
  double low = INFINITY, high = 0;
  for (std::size_t i = 0; i < study.rows.points.size(); ++i) {
    const auto& p = study.rows.points[i];
    const auto law = p.loss * std::exp(-study.parametric.residuals[i]);
    low = std::min({low, p.loss, law});
    high = std::max({high, p.loss, law});
    const HeldOut* out = nullptr;
    if (study.holdout.fit) {
      for (const auto& h : study.holdout.fit->runs) out = h.point == i ? &h : out;
    }
    (out != nullptr ? held : fitted).points.push_back({out != nullptr ? out->predicted : law, p.loss});
    csv.row({p.parameters, p.tokens, p.loss, law, out != nullptr ? out->predicted : NAN,
             out != nullptr ? out->one_run.low : NAN, out != nullptr ? out->one_run.high : NAN},
            p.run);
  }
  equal.points = {{low, low}, {high, high}};
  chart.series = {equal, fitted, held};
  return {"prediction", to_svg(chart), csv.text()};
}

Series line_of(const std::string& name, Kind kind, int colour, const ComputeLine& line,
               const std::vector<double>& flops) {
  Series series{name, kind, colour, {}};
  for (const auto c : flops) series.points.push_back({c, line.at(c)});
  return series;
}

/// N* against compute, and D* in the table.
FitPicture optimum(const StudyFit& study) {
  Picture chart{"Best size against compute", "training FLOPs (6ND)", "parameters N*", true, true, {}};
  const auto flops = budgets(study, 40);
  Series band{"", Kind::band, 0, {}}, law{"approach 3, with its interval", Kind::line, 0, {}};
  CsvText csv("flops,parameters,parameters_low,parameters_high,tokens,tokens_low,tokens_high,loss,loss_low,loss_high");
  for (const auto c : flops) {
    const auto p = predict_budget(study.parametric, study.options.bootstrap, c);
    const auto& n = p.parameters;
    band.points.push_back({c, n.value, n.interval.low, n.interval.high});
    law.points.push_back({c, n.value});
    csv.row({c, n.value, n.interval.low, n.interval.high, p.tokens.value, p.tokens.interval.low, p.tokens.interval.high,
             p.loss.value, p.loss.interval.low, p.loss.interval.high});
  }
  chart.series = {band, law};
  if (study.envelope.fit) {
    chart.series.push_back(line_of("approach 1", Kind::line, 2, study.envelope.fit->lines.parameters, flops));
  }
  if (study.isoflop.fit) {
    chart.series.push_back(line_of("approach 2", Kind::line, 1, study.isoflop.fit->lines.parameters, flops));
    Series minima{"", Kind::bars, 1, {}};
    for (const auto& p : study.isoflop.fit->profiles) {
      if (p.problem.empty()) minima.points.push_back({p.flops, p.parameters, p.interval.low, p.interval.high});
    }
    chart.series.push_back(minima);
  }
  int colour = 3;
  for (const auto& published : published_lines()) {
    chart.series.push_back(line_of(std::string(published.name), Kind::dashes, colour++, published.parameters, flops));
  }
  return {"optimum", to_svg(chart), csv.text()};
}

/// The same of tokens, without a table of its own: optimum.csv has the numbers.
FitPicture optimum_tokens(const StudyFit& study) {
  Picture chart{"Best number of tokens against compute", "training FLOPs (6ND)", "tokens D*", true, true, {}};
  const auto flops = budgets(study, 40);
  Series band{"", Kind::band, 0, {}}, law{"approach 3, with its interval", Kind::line, 0, {}};
  CsvText csv("flops,tokens,low,high");
  for (const auto c : flops) {
    const auto d = predict_budget(study.parametric, study.options.bootstrap, c).tokens;
    band.points.push_back({c, d.value, d.interval.low, d.interval.high});
    law.points.push_back({c, d.value});
    csv.row({c, d.value, d.interval.low, d.interval.high});
  }
  chart.series = {band, law};
  if (study.envelope.fit) {
    chart.series.push_back(line_of("approach 1", Kind::line, 2, study.envelope.fit->lines.tokens, flops));
  }
  if (study.isoflop.fit) {
    chart.series.push_back(line_of("approach 2", Kind::line, 1, study.isoflop.fit->lines.tokens, flops));
  }
  int colour = 3;
  for (const auto& published : published_lines()) {
    const auto& n = published.parameters;  // D* = C / (6 N*)
    const ComputeLine tokens{-std::log(6) - n.intercept, 1 - n.exponent};
    chart.series.push_back(line_of(std::string(published.name), Kind::dashes, colour++, tokens, flops));
  }
  return {"optimum_tokens", to_svg(chart), csv.text()};
}

FitPicture isoflop(const StudyFit& study) {
  Picture chart{"IsoFLOP profiles", "parameters", "loss, nats", true, false, {}};
  CsvText csv("flops,parameters,loss,parabola,minimum,minimum_low,minimum_high");
  Series minima{"minima", Kind::dots, 7, {}};
  int colour = 0;
  for (const auto& profile : study.isoflop.fit->profiles) {
    Series dots{fmt::format("{:.3g} FLOPs", profile.flops), Kind::dots, colour, {}};
    Series curve{"", Kind::line, colour, {}}, interval{"", Kind::line, 7, {}};
    double low = INFINITY, high = 0;
    const bool has_minimum = profile.problem.empty();
    for (const auto i : profile.points) {
      const auto& p = study.rows.points[i];
      dots.points.push_back({p.parameters, p.loss});
      low = std::min(low, p.parameters);
      high = std::max(high, p.parameters);
      csv.row({profile.flops, p.parameters, p.loss, profile.parabola.at(p.parameters),
               has_minimum ? profile.parameters : NAN, has_minimum ? profile.interval.low : NAN,
               has_minimum ? profile.interval.high : NAN});
    }
    chart.series.push_back(dots);
    colour = (colour + 1) % 7;
    if (!has_minimum) continue;
    for (int i = 0; i <= 40; ++i) {
      const auto n = low * std::pow(high / low, i / 40.0);
      curve.points.push_back({n, profile.parabola.at(n)});
    }
    interval.points = {{std::max(low, profile.interval.low), profile.loss},
                       {std::min(high, profile.interval.high), profile.loss}};
    minima.points.push_back({profile.parameters, profile.loss});
    chart.series.push_back(curve);
    chart.series.push_back(interval);
  }
  chart.series.push_back(minima);
  return {"isoflop", to_svg(chart), csv.text()};
}

/// The tokens with which N parameters reach `loss`; NaN where no number of them does.
double tokens_for(const ChinchillaLaw& law, double parameters, double loss) {
  const auto left = loss - law.E - law.A * std::pow(parameters, -law.alpha);
  return left > 0 ? std::pow(law.B / left, 1 / law.beta) : NAN;
}

FitPicture contours(const StudyFit& study) {
  Picture chart{"Loss of the law, and the runs", "parameters", "tokens", true, true, {}};
  CsvText csv("loss,parameters,tokens");
  Series runs{"runs", Kind::dots, 0, {}}, best{"best N and D of each budget", Kind::line, 1, {}};
  double n_low = INFINITY, n_high = 0, d_low = INFINITY, d_high = 0;
  for (const auto& p : study.rows.points) {
    runs.points.push_back({p.parameters, p.tokens});
    n_low = std::min(n_low, p.parameters);
    n_high = std::max(n_high, p.parameters);
    d_low = std::min(d_low, p.tokens);
    d_high = std::max(d_high, p.tokens);
  }
  n_high *= 3;
  d_high *= 3;
  const auto& law = study.parametric.law;
  const auto worst = law.loss(n_low, d_low), least = law.loss(n_high, d_high);
  for (int level = 1; level <= 10; ++level) {
    const auto loss = least * std::pow(worst / least, level / 11.0);
    Series contour{"", Kind::dashes, 7, {}};
    for (int i = 0; i <= 80; ++i) {
      const auto n = n_low * std::pow(n_high / n_low, i / 80.0), d = tokens_for(law, n, loss);
      if (!(d >= d_low && d <= d_high)) continue;
      contour.points.push_back({n, d});
      csv.row({loss, n, d});
    }
    chart.series.push_back(contour);
  }
  for (const auto c : budgets(study, 60)) {
    const auto o = law.optimum(c);
    const bool inside = o.parameters >= n_low && o.parameters <= n_high && o.tokens >= d_low && o.tokens <= d_high;
    if (inside) best.points.push_back({o.parameters, o.tokens});
  }
  chart.series.push_back(best);
  chart.series.push_back(runs);
  return {"contours", to_svg(chart), csv.text()};
}

}  // namespace

std::vector<FitPicture> fit_pictures(const StudyFit& study) {
  std::vector<FitPicture> pictures = {residuals(study), prediction(study), optimum(study), optimum_tokens(study),
                                      contours(study)};
  if (study.isoflop.fit) pictures.push_back(isoflop(study));
  return pictures;
}

void write_fit_pictures(const StudyFit& study, const std::string& folder) {
  std::filesystem::create_directories(folder);
  const std::filesystem::path at = folder;
  for (const auto& picture : fit_pictures(study)) {
    write_file_atomic((at / (picture.name + ".svg")).string(), picture.svg);
    write_file_atomic((at / (picture.name + ".csv")).string(), picture.csv);
  }
}

}  // namespace trireme
