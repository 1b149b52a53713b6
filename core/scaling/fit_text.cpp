// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cmath>

#include "core/scaling/fit_report.h"

namespace trireme {
namespace {

/// A number in full, its interval in as many digits as it deserves.
std::string line(const std::string& what, double value, const Interval& interval) {
  return fmt::format("  {:<26} {:<22.15g} [{:.4g}, {:.4g}]\n", what, value, interval.low, interval.high);
}

template <class Of>
std::string coefficient(const StudyFit& study, const char* what, Of of) {
  const auto& fit = study.parametric;
  return line(what, of(fit.law), percentile_interval(over_resamples(fit, of), study.options.bootstrap.level));
}

std::string heading(const StudyFit& study) {
  const auto& b = study.options.bootstrap;
  auto text = fmt::format("{}: {} rows; N: {}; C: {}\n", study.rows.source, study.rows.points.size(),
                          study.rows.parameters, study.rows.flops);
  if (study.dropped.empty()) {
    text += "outliers: none left out\n";
  } else {
    text += fmt::format("outliers: the {} rows of highest loss left out, from {:.6g} on\n", study.dropped.size(),
                        std::min_element(study.dropped.begin(), study.dropped.end(), [](const auto& x, const auto& y) {
                          return x.loss < y.loss;
                        })->loss);
  }
  return text + fmt::format("intervals: {:g} %, {} resamples of runs, seed {}\n\n", 100 * b.level, b.resamples, b.seed);
}

std::string parametric(const StudyFit& study) {
  using Law = ChinchillaLaw;
  const auto& fit = study.parametric;
  double squares = 0;
  for (const auto r : fit.residuals) squares += r * r;
  return "approach 3: L = E + A/N^alpha + B/D^beta\n" + coefficient(study, "E", [](const Law& l) { return l.E; }) +
         coefficient(study, "A", [](const Law& l) { return l.A; }) +
         coefficient(study, "B", [](const Law& l) { return l.B; }) +
         coefficient(study, "alpha", [](const Law& l) { return l.alpha; }) +
         coefficient(study, "beta", [](const Law& l) { return l.beta; }) +
         coefficient(study, "a (N* ~ C^a)", [](const Law& l) { return l.a(); }) +
         coefficient(study, "b (D* ~ C^b)", [](const Law& l) { return l.b(); }) +
         fmt::format(
             "  objective {:.15g} (sum of Huber, delta 1e-3, on log loss); {} of {} searches ended there\n"
             "  residuals of log loss: root mean square {:.3g}\n\n",
             fit.objective, fit.agreeing, fit.starts, std::sqrt(squares / static_cast<double>(fit.residuals.size())));
}

std::string holdout(const StudyFit& study) {
  if (!study.holdout.fit) return fmt::format("hold-out check: not made: {}\n\n", study.holdout.refused);
  const auto& h = *study.holdout.fit;
  return fmt::format(
      "hold-out check: fitted below {:.4g} FLOPs, {} runs predicted: error {:+.2f} % on average, {:.2f} % root mean "
      "square, {:+.2f} % at worst; {} of {} in their interval\n\n",
      h.flops, h.runs.size(), 100 * h.mean_error, 100 * h.rms_error, 100 * h.worst_error, h.within, h.runs.size());
}

std::string prediction(const Prediction& p) {
  auto text = fmt::format("at {:.6g} FLOPs (6ND)\n", p.flops);
  text += line("N", p.parameters.value, p.parameters.interval) + line("D", p.tokens.value, p.tokens.interval);
  text += fmt::format("  {:<26} {:.4g}\n", "D/N", p.tokens.value / p.parameters.value);
  text += line("loss", p.loss.value, p.loss.interval);
  return text +
         fmt::format("  {:<26} {:<22} [{:.4g}, {:.4g}]\n\n", "loss of a single run", "", p.one_run.low, p.one_run.high);
}

}  // namespace

std::string to_text(const StudyFit& study) {
  auto text = heading(study) + parametric(study) + holdout(study);
  for (const auto& p : study.predictions) text += prediction(p);
  text.pop_back();
  return text;
}

}  // namespace trireme
