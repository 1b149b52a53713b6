// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "core/scaling/fit_report.h"

namespace trireme {
namespace {

using Json = nlohmann::json;

Json to_json(const Interval& i) { return Json::array({i.low, i.high}); }
Json to_json(const Estimate& e) { return {{"value", e.value}, {"interval", to_json(e.interval)}}; }

Json to_json(const ChinchillaLaw& law) {
  return {{"E", law.E}, {"A", law.A}, {"B", law.B}, {"alpha", law.alpha}, {"beta", law.beta}};
}

/// A coefficient of the law with its interval.
template <class Of>
Json coefficient(const ParametricFit& fit, const FitOptions& options, Of of) {
  return to_json(Estimate{of(fit.law), percentile_interval(over_resamples(fit, of), options.bootstrap.level)});
}

Json to_json(const ParametricFit& fit, const FitOptions& options) {
  using Law = ChinchillaLaw;
  return {{"law", "L = E + A/N^alpha + B/D^beta"},
          {"E", coefficient(fit, options, [](const Law& l) { return l.E; })},
          {"A", coefficient(fit, options, [](const Law& l) { return l.A; })},
          {"B", coefficient(fit, options, [](const Law& l) { return l.B; })},
          {"alpha", coefficient(fit, options, [](const Law& l) { return l.alpha; })},
          {"beta", coefficient(fit, options, [](const Law& l) { return l.beta; })},
          {"a", coefficient(fit, options, [](const Law& l) { return l.a(); })},
          {"b", coefficient(fit, options, [](const Law& l) { return l.b(); })},
          {"objective", fit.objective},
          {"starts", fit.starts},
          {"agreeing", fit.agreeing},
          {"residuals", fit.residuals}};
}

template <class Law, class Of>
Json spread(const Law& law, const std::vector<Law>& resamples, double level, Of of) {
  std::vector<double> values;
  for (const auto& r : resamples) values.push_back(of(r));
  return to_json(Estimate{of(law), percentile_interval(values, level)});
}

/// Exponents of N* and D*, and the lines in full: log y = intercept + exponent log C.
Json to_json(const ComputeLines& lines, const std::vector<ComputeLines>& resamples, double level) {
  return {{"a", spread(lines, resamples, level, [](const ComputeLines& l) { return l.parameters.exponent; })},
          {"b", spread(lines, resamples, level, [](const ComputeLines& l) { return l.tokens.exponent; })},
          {"log_parameters_intercept", lines.parameters.intercept},
          {"log_tokens_intercept", lines.tokens.intercept},
          {"resamples_with_a_line", resamples.size()}};
}

Json to_json(const EnvelopeFit& fit, double level) {
  auto json = to_json(fit.lines, fit.resamples, level);
  json["runs"] = fit.runs;
  json["envelope_points"] = fit.envelope.size();
  return json;
}

Json to_json(const IsoflopFit& fit, double level) {
  auto json = to_json(fit.lines, fit.resamples, level);
  json["profiles"] = Json::array();
  for (const auto& p : fit.profiles) {
    Json profile = {{"flops", p.flops}, {"points", p.points.size()}};
    if (p.parabola.curvature > 0) {
      profile.update({{"parameters", to_json(Estimate{p.parameters, p.interval})},
                      {"tokens", p.flops / (6 * p.parameters)},
                      {"loss", p.loss}});
    }
    if (!p.problem.empty()) profile["problem"] = p.problem;
    json["profiles"].push_back(profile);
  }
  return json;
}

Json to_json(const PowerFit& fit, double level) {
  if (!fit.refused.empty()) return {{"refused", fit.refused}};
  return {{"scale", spread(fit.law, fit.resamples, level, [](const PowerLaw& l) { return l.scale; })},
          {"exponent", spread(fit.law, fit.resamples, level, [](const PowerLaw& l) { return l.exponent; })},
          {"points", fit.points.size()}};
}

Json to_json(const KaplanFit& fit, double level) {
  const auto of = [&](auto get) { return spread(fit.law, fit.resamples, level, get); };
  return {{"L(N)", to_json(fit.of_parameters, level)},
          {"L(D)", to_json(fit.of_tokens, level)},
          {"L(N,D)",
           {{"n_c", of([](const KaplanLaw& l) { return l.n_c; })},
            {"d_c", of([](const KaplanLaw& l) { return l.d_c; })},
            {"alpha_n", of([](const KaplanLaw& l) { return l.alpha_n; })},
            {"alpha_d", of([](const KaplanLaw& l) { return l.alpha_d; })},
            {"objective", fit.objective}}}};
}

Json to_json(const RepetitionFit& fit, double level) {
  const auto of = [&](auto get) { return spread(fit.law, fit.resamples, level, get); };
  return {{"r_d", of([](const RepetitionLaw& l) { return l.r_d; })},
          {"r_n", of([](const RepetitionLaw& l) { return l.r_n; })},
          {"base", to_json(fit.law.base)},
          {"objective", fit.objective},
          {"fresh", fit.fresh},
          {"repeated", fit.repeated}};
}

Json to_json(const AccuracyFit& fit, double level) {
  const auto of = [&](auto get) { return spread(fit.law, fit.resamples, level, get); };
  return {{"of", fit.own_loss ? "task loss" : "loss"},
          {"points", fit.points},
          {"task_law", to_json(fit.task.law)},
          {"floor", of([](const AccuracyLaw& l) { return l.floor; })},
          {"ceiling", of([](const AccuracyLaw& l) { return l.ceiling; })},
          {"middle", of([](const AccuracyLaw& l) { return l.middle; })},
          {"width", of([](const AccuracyLaw& l) { return l.width; })},
          {"rms_error", fit.rms_error}};
}

Json to_json(const Holdout& holdout, const StudyRows& rows) {
  Json runs = Json::array();
  for (const auto& run : holdout.runs) {
    const auto& p = rows.points[run.point];
    runs.push_back({{"run", p.run},
                    {"line", p.line},
                    {"parameters", p.parameters},
                    {"tokens", p.tokens},
                    {"flops", p.flops},
                    {"loss", p.loss},
                    {"predicted", run.predicted},
                    {"interval", to_json(run.one_run)}});
  }
  return {{"flops", holdout.flops},
          {"fitted", to_json(holdout.law)},
          {"mean_error", holdout.mean_error},
          {"rms_error", holdout.rms_error},
          {"worst_error", holdout.worst_error},
          {"within", holdout.within},
          {"runs", runs}};
}

Json to_json(const Prediction& p) {
  Json json = {{"flops", p.flops},
               {"parameters", to_json(p.parameters)},
               {"tokens", to_json(p.tokens)},
               {"loss", to_json(p.loss)},
               {"one_run", to_json(p.one_run)}};
  if (p.accuracy) json["accuracy"] = to_json(*p.accuracy);
  return json;
}

template <class Fit, class Write>
Json outcome(const Outcome<Fit>& o, Write write) {
  return o.fit ? write(*o.fit) : Json{{"refused", o.refused}};
}

template <class Fit>
Json outcome(const Outcome<Fit>& o, double level) {
  return outcome(o, [level](const Fit& fit) { return to_json(fit, level); });
}

}  // namespace

Json to_json(const StudyFit& study) {
  const auto& o = study.options;
  const auto level = o.bootstrap.level;
  Json json = {{"source", study.rows.source},
               {"points", study.rows.points.size()},
               {"dropped", study.dropped.size()},
               {"parameters", study.rows.parameters},
               {"flops", study.rows.flops},
               {"resamples", o.bootstrap.resamples},
               {"level", o.bootstrap.level},
               {"seed", o.bootstrap.seed},
               {"approach_1", outcome(study.envelope, level)},
               {"approach_2", outcome(study.isoflop, level)},
               {"approach_3", to_json(study.parametric, o)},
               {"kaplan", outcome(study.kaplan, level)},
               {"data_constrained", outcome(study.repetition, level)},
               {"accuracy", outcome(study.accuracy, level)},
               {"holdout", outcome(study.holdout, [&](const Holdout& h) { return to_json(h, study.rows); })}};
  json["predictions"] = Json::array();
  for (const auto& p : study.predictions) json["predictions"].push_back(to_json(p));
  return json;
}

}  // namespace trireme
