// SPDX-License-Identifier: Apache-2.0
#include "core/scaling/fit_pictures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/scaling/picture_table.h"

namespace trireme {
namespace {

using Mark = ChartSeries::Mark;

/// The span of a column of the rows.
struct Span {
  double low = INFINITY, high = 0;
  void include(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool holds(double value) const { return value >= low && value <= high; }
  /// From low to high, 0 to 1, in the logarithm.
  double at(double part) const { return low * std::pow(high / low, part); }
};

Span span_of(const StudyFit& study, double ScalingPoint::*column) {
  Span span;
  for (const auto& p : study.rows.points) span.include(p.*column);
  return span;
}

/// `count` budgets from the smallest that was run to a hundred times the largest.
std::vector<double> budgets(const StudyFit& study, int count) {
  auto span = span_of(study, &ScalingPoint::flops);
  span.high *= 100;
  std::vector<double> values;
  for (int i = 0; i < count; ++i) values.push_back(span.at(i / (count - 1.0)));
  return values;
}

/// Dots of all rows, in the colours of their sizes.
std::vector<ChartSeries> dots_of(const StudyFit& study, const std::vector<ChartPoint>& places) {
  const auto orders = size_order(study.rows.points);
  std::vector<ChartSeries> dots;
  const auto first = std::min_element(orders.begin(), orders.end());
  const auto last = std::max_element(orders.begin(), orders.end());
  for (std::size_t i = 0; i < places.size(); ++i) {
    dots.push_back({.mark = Mark::dots, .points = {places[i]}, .order = orders[i]});
  }
  const auto name = [&](auto at, const char* what) {
    const auto i = static_cast<std::size_t>(at - orders.begin());
    dots[i].name = fmt::format("{} size, {}", what, count_text(study.rows.points[i].parameters, 3));
  };
  name(first, "smallest");
  if (*first < *last) name(last, "largest");
  return dots;
}

FitPicture losses(const StudyFit& study) {
  std::vector<ChartPoint> places;
  for (const auto& p : study.rows.points) places.push_back({p.flops, p.loss});
  Chart chart{"Loss against compute", {"training FLOPs", true}, {"loss, nats", true}, dots_of(study, places)};
  ChartSeries best{.name = "law at the best N and D, with its interval", .colour = 7};
  PictureTable table("flops,loss,loss_low,loss_high");
  for (const auto c : budgets(study, 40)) {
    const auto loss = predict_budget(study.parametric, study.options.bootstrap, c).loss;
    best.points.push_back({c, loss.value});
    best.low.push_back({c, loss.interval.low});
    best.high.push_back({c, loss.interval.high});
    table.row({c, loss.value, loss.interval.low, loss.interval.high});
  }
  chart.series.push_back(best);
  return {"losses",
          "The end of every run, and the loss that the law (approach 3) expects where a budget is spent best, up to a "
          "hundred times the largest budget. Runs above the line had too large or too small a model for their compute.",
          chart, table.text()};
}

FitPicture residuals(const StudyFit& study) {
  std::vector<ChartPoint> places;
  const auto flops = span_of(study, &ScalingPoint::flops);
  PictureTable table("run,parameters,tokens,flops,loss,fitted,log_residual");
  for (std::size_t i = 0; i < study.rows.points.size(); ++i) {
    const auto& p = study.rows.points[i];
    const auto r = study.parametric.residuals[i];
    places.push_back({p.flops, 100 * std::expm1(r)});
    table.row(p.run, {p.parameters, p.tokens, p.flops, p.loss, p.loss * std::exp(-r), r});
  }
  Chart chart{"Residuals: measured over fitted loss",
              {"training FLOPs", true},
              {"loss / law - 1, percent"},
              dots_of(study, places)};
  chart.series.insert(chart.series.begin(),
                      {.mark = Mark::dashed, .points = {{flops.low, 0}, {flops.high, 0}}, .colour = 7});
  return {"residuals",
          "How far each run lies from the law of approach 3. A cloud about zero is noise; a slope or a bend along "
          "compute, or one colour (size) all on one side, says that the runs follow another law.",
          chart, table.text()};
}

FitPicture prediction(const StudyFit& study, std::span<const PredictedRun> held_out) {
  ChartSeries fitted{.mark = Mark::dots, .name = "fitted"};
  ChartSeries checked{.mark = Mark::dots, .name = "predicted from the smaller budgets", .colour = 1};
  ChartSeries asked{.mark = Mark::dots, .name = "held out from the start", .colour = 2};
  ChartSeries equal{.mark = Mark::dashed, .colour = 7};
  PictureTable table("run,parameters,tokens,loss,fitted,held_out_prediction,low,high");
  Span span;
  const auto add = [&](ChartSeries& series, double predicted, double loss, const Interval& interval) {
    span.include(predicted);
    span.include(loss);
    series.points.push_back({predicted, loss});
    series.low.push_back({interval.low, loss});
    series.high.push_back({interval.high, loss});
  };
  for (std::size_t i = 0; i < study.rows.points.size(); ++i) {
    const auto& p = study.rows.points[i];
    const auto law = p.loss * std::exp(-study.parametric.residuals[i]);
    const HeldOut* out = nullptr;
    if (study.holdout.fit) {
      for (const auto& h : study.holdout.fit->runs) out = h.point == i ? &h : out;
    }
    const auto interval = out != nullptr ? out->one_run : Interval{NAN, NAN};
    add(out != nullptr ? checked : fitted, out != nullptr ? out->predicted : law, p.loss, interval);
    table.row(p.run, {p.parameters, p.tokens, p.loss, law, out != nullptr ? out->predicted : NAN, interval.low,
                      interval.high});
  }
  for (const auto& [p, expected] : held_out) {
    add(asked, expected.loss.value, p.loss, expected.one_run);
    table.row(p.run,
              {p.parameters, p.tokens, p.loss, NAN, expected.loss.value, expected.one_run.low, expected.one_run.high});
  }
  equal.points = {{span.low, span.low}, {span.high, span.high}};
  std::vector<ChartSeries> series = {equal, fitted};
  for (const auto* held : {&checked, &asked}) {
    if (!held->points.empty()) series.push_back(*held);
  }
  return {"prediction",
          "On the dashed line prediction and measurement agree. The hold-out check fits the law again without the "
          "largest budgets and predicts them; runs that the study held out from the start are predicted by the law of "
          "all others. Their intervals are those of the loss of a single run.",
          {"Prediction against actual loss", {"fitted or predicted loss, nats"}, {"measured loss, nats"}, series},
          table.text()};
}

ChartSeries line_of(const std::string& name, Mark mark, int colour, const ComputeLine& line,
                    const std::vector<double>& flops) {
  ChartSeries series{.mark = mark, .name = name, .colour = colour};
  for (const auto c : flops) series.points.push_back({c, line.at(c)});
  return series;
}

/// What approach 3 says of each budget: `of` a prediction.
ChartSeries law_of(const StudyFit& study, const std::vector<double>& flops, Estimate Prediction::*of) {
  ChartSeries law{.name = "approach 3, with its interval"};
  for (const auto c : flops) {
    const auto value = predict_budget(study.parametric, study.options.bootstrap, c).*of;
    law.points.push_back({c, value.value});
    law.low.push_back({c, value.interval.low});
    law.high.push_back({c, value.interval.high});
  }
  return law;
}

/// The lines of approaches 1 and 2 and the published ones: `of` a pair of lines.
void add_lines(Chart& chart, const StudyFit& study, const std::vector<double>& flops, ComputeLine ComputeLines::*of) {
  const auto add = [&](const char* name, int colour, const ComputeLines& lines) {
    chart.series.push_back(line_of(name, Mark::line, colour, lines.*of, flops));
  };
  if (study.envelope.fit) add("approach 1", 2, study.envelope.fit->lines);
  if (study.isoflop.fit) add("approach 2", 1, study.isoflop.fit->lines);
  int colour = 3;
  for (const auto& published : published_lines()) {
    const auto& n = published.parameters;  // D* = C / (6 N*)
    const ComputeLines lines{n, {-std::log(6) - n.intercept, 1 - n.exponent}};
    chart.series.push_back(line_of(std::string(published.name), Mark::dashed, colour++, lines.*of, flops));
  }
}

FitPicture optimum(const StudyFit& study) {
  const auto flops = budgets(study, 40);
  Chart chart{"Best size against compute", {"training FLOPs (6ND)", true}, {"parameters N*", true, true}, {}};
  chart.series = {law_of(study, flops, &Prediction::parameters)};
  add_lines(chart, study, flops, &ComputeLines::parameters);
  if (study.isoflop.fit) {
    ChartSeries minima{.mark = Mark::dots, .name = "minima of the profiles", .colour = 1};
    for (const auto& p : study.isoflop.fit->profiles) {
      if (!p.problem.empty()) continue;
      minima.points.push_back({p.flops, p.parameters});
      minima.low.push_back({p.flops, p.interval.low});
      minima.high.push_back({p.flops, p.interval.high});
    }
    chart.series.push_back(minima);
  }
  PictureTable table(
      "flops,parameters,parameters_low,parameters_high,tokens,tokens_low,tokens_high,loss,loss_low,loss_high");
  for (const auto c : flops) {
    const auto p = predict_budget(study.parametric, study.options.bootstrap, c);
    table.row({c, p.parameters.value, p.parameters.interval.low, p.parameters.interval.high, p.tokens.value,
               p.tokens.interval.low, p.tokens.interval.high, p.loss.value, p.loss.interval.low, p.loss.interval.high});
  }
  return {"optimum",
          "The number of parameters that spends a budget best, by each approach, beside what others have published. "
          "Where the approaches part by more than the band, the runs do not follow one law. Published lines are of "
          "other data and other ways to count: their slope is to be compared rather than their height.",
          chart, table.text()};
}

FitPicture optimum_tokens(const StudyFit& study) {
  const auto flops = budgets(study, 40);
  Chart chart{"Best number of tokens against compute", {"training FLOPs (6ND)", true}, {"tokens D*", true, true}, {}};
  chart.series = {law_of(study, flops, &Prediction::tokens)};
  add_lines(chart, study, flops, &ComputeLines::tokens);
  PictureTable table("flops,tokens,low,high");
  const auto& law = chart.series.front();
  for (std::size_t i = 0; i < flops.size(); ++i) {
    table.row({flops[i], law.points[i].y, law.low[i].y, law.high[i].y});
  }
  return {"optimum_tokens", "The same of the tokens that the best model is trained on.", chart, table.text()};
}

FitPicture isoflop(const StudyFit& study) {
  Chart chart{"IsoFLOP profiles", {"parameters", true, true}, {"loss, nats"}, {}};
  PictureTable table("flops,parameters,loss,parabola,minimum,minimum_low,minimum_high");
  ChartSeries minima{.mark = Mark::dots, .name = "minima, with intervals of N*", .colour = 7};
  const auto& profiles = study.isoflop.fit->profiles;
  const auto sizes = span_of(study, &ScalingPoint::parameters);
  for (std::size_t at = 0; at < profiles.size(); ++at) {
    const auto& profile = profiles[at];
    const double order = profiles.size() > 1 ? static_cast<double>(at) / static_cast<double>(profiles.size() - 1) : 0.5;
    ChartSeries dots{.mark = Mark::dots, .name = number_text(profile.flops, 3) + " FLOPs", .order = order};
    const bool has_minimum = profile.problem.empty();
    Span own;
    for (const auto i : profile.points) {
      const auto& p = study.rows.points[i];
      dots.points.push_back({p.parameters, p.loss});
      own.include(p.parameters);
      table.row({profile.flops, p.parameters, p.loss, profile.parabola.at(p.parameters),
                 has_minimum ? profile.parameters : NAN, has_minimum ? profile.interval.low : NAN,
                 has_minimum ? profile.interval.high : NAN});
    }
    chart.series.push_back(dots);
    if (!has_minimum) continue;
    ChartSeries curve{.order = order};
    for (int i = 0; i <= 40; ++i) {
      const auto n = own.at(i / 40.0);
      curve.points.push_back({n, profile.parabola.at(n)});
    }
    chart.series.push_back(curve);
    minima.points.push_back({profile.parameters, profile.loss});
    minima.low.push_back({std::max(sizes.low, profile.interval.low), profile.loss});
    minima.high.push_back({std::min(sizes.high, profile.interval.high), profile.loss});
  }
  chart.series.push_back(minima);
  return {"isoflop",
          "Runs of one budget differ in size alone: small models see many tokens, large ones few. A parabola finds the "
          "best size of each. A profile without a curve has no minimum between its smallest and its largest size.",
          chart, table.text()};
}

/// The tokens with which N parameters reach `loss`; NaN where no number of them does.
double tokens_for(const ChinchillaLaw& law, double parameters, double loss) {
  const auto left = loss - law.E - law.A * std::pow(parameters, -law.alpha);
  return left > 0 ? std::pow(law.B / left, 1 / law.beta) : NAN;
}

FitPicture contours(const StudyFit& study) {
  Chart chart{"Loss of the law, and the runs", {"parameters", true, true}, {"tokens", true, true}, {}};
  PictureTable table("loss,parameters,tokens");
  auto sizes = span_of(study, &ScalingPoint::parameters), tokens = span_of(study, &ScalingPoint::tokens);
  sizes.high *= 3;
  tokens.high *= 3;
  const auto& law = study.parametric.law;
  const Span losses{law.loss(sizes.high, tokens.high), law.loss(sizes.low, tokens.low)};
  for (int level = 1; level <= 10; ++level) {
    const auto loss = losses.at(level / 11.0);
    ChartSeries contour{.mark = Mark::dashed, .colour = 7, .tag = fmt::format("{:.3g}", loss)};
    for (int i = 0; i <= 80; ++i) {
      const auto n = sizes.at(i / 80.0), d = tokens_for(law, n, loss);
      if (!tokens.holds(d)) continue;
      contour.points.push_back({n, d});
      table.row({loss, n, d});
    }
    chart.series.push_back(contour);
  }
  ChartSeries runs{.mark = Mark::dots, .name = "runs"};
  for (const auto& p : study.rows.points) runs.points.push_back({p.parameters, p.tokens});
  ChartSeries best{.name = "best N and D of each budget", .colour = 1};
  for (const auto c : budgets(study, 60)) {
    const auto o = law.optimum(c);
    if (sizes.holds(o.parameters) && tokens.holds(o.tokens)) best.points.push_back({o.parameters, o.tokens});
  }
  chart.series.push_back(best);
  chart.series.push_back(runs);
  return {"contours",
          "Where the law of approach 3 expects equal loss, and where the runs are. The law is well known near the runs "
          "and along the line if they lie on both sides of it.",
          chart, table.text()};
}

}  // namespace

std::vector<FitPicture> fit_pictures(const StudyFit& study, std::span<const PredictedRun> held_out) {
  std::vector<FitPicture> pictures;
  if (study.isoflop.fit) pictures.push_back(isoflop(study));
  pictures.push_back(optimum(study));
  pictures.push_back(optimum_tokens(study));
  pictures.push_back(losses(study));
  pictures.push_back(contours(study));
  pictures.push_back(residuals(study));
  pictures.push_back(prediction(study, held_out));
  return pictures;
}

}  // namespace trireme
