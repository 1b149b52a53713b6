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
  return {{"flops", p.flops},
          {"parameters", to_json(p.parameters)},
          {"tokens", to_json(p.tokens)},
          {"loss", to_json(p.loss)},
          {"one_run", to_json(p.one_run)}};
}

template <class Fit, class Write>
Json outcome(const Outcome<Fit>& o, Write write) {
  return o.fit ? write(*o.fit) : Json{{"refused", o.refused}};
}

}  // namespace

Json to_json(const StudyFit& study) {
  const auto& o = study.options;
  Json json = {{"source", study.rows.source},
               {"points", study.rows.points.size()},
               {"dropped", study.dropped.size()},
               {"parameters", study.rows.parameters},
               {"flops", study.rows.flops},
               {"resamples", o.bootstrap.resamples},
               {"level", o.bootstrap.level},
               {"seed", o.bootstrap.seed},
               {"approach_3", to_json(study.parametric, o)},
               {"holdout", outcome(study.holdout, [&](const Holdout& h) { return to_json(h, study.rows); })}};
  json["predictions"] = Json::array();
  for (const auto& p : study.predictions) json["predictions"].push_back(to_json(p));
  return json;
}

}  // namespace trireme
