// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
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

/// A coefficient of any law, with the interval of its resamples.
template <class Law, class Of>
std::string spread(const char* what, const Law& law, const std::vector<Law>& resamples, double level, Of of) {
  std::vector<double> values;
  for (const auto& r : resamples) values.push_back(of(r));
  return line(what, of(law), percentile_interval(values, level));
}

std::string lines(const ComputeLines& l, const std::vector<ComputeLines>& resamples, double level) {
  return spread("a (N* ~ C^a)", l, resamples, level, [](const ComputeLines& c) { return c.parameters.exponent; }) +
         spread("b (D* ~ C^b)", l, resamples, level, [](const ComputeLines& c) { return c.tokens.exponent; });
}

std::string envelope(const StudyFit& study) {
  if (!study.envelope.fit) return fmt::format("approach 1: not fitted: {}\n\n", study.envelope.refused);
  const auto& fit = *study.envelope.fit;
  return fmt::format("approach 1: envelope of {} training curves, {} of 1500 amounts of compute\n", fit.runs,
                     fit.envelope.size()) +
         lines(fit.lines, fit.resamples, study.options.bootstrap.level) + "\n";
}

std::string isoflop(const StudyFit& study) {
  if (!study.isoflop.fit) return fmt::format("approach 2: not fitted: {}\n\n", study.isoflop.refused);
  const auto& fit = *study.isoflop.fit;
  auto text = fmt::format("approach 2: parabolas of loss over log N at {} budgets\n", fit.profiles.size());
  for (const auto& p : fit.profiles) {
    if (p.problem.empty()) {
      text += line(fmt::format("N* at {:.4g} ({} runs)", p.flops, p.points.size()), p.parameters, p.interval);
    } else {
      text +=
          fmt::format("  {:<26} left out: {}\n", fmt::format("{:.4g} ({} runs)", p.flops, p.points.size()), p.problem);
    }
  }
  return text + lines(fit.lines, fit.resamples, study.options.bootstrap.level) + "\n";
}

std::string power(const char* what, const PowerFit& fit, double level) {
  if (!fit.refused.empty()) return fmt::format("  {}: not fitted: {}\n", what, fit.refused);
  return fmt::format("  {}, through {} rows\n", what, fit.points.size()) +
         spread("  scale", fit.law, fit.resamples, level, [](const PowerLaw& l) { return l.scale; }) +
         spread("  exponent", fit.law, fit.resamples, level, [](const PowerLaw& l) { return l.exponent; });
}

std::string kaplan(const StudyFit& study) {
  if (!study.kaplan.fit) return fmt::format("Kaplan's laws: not fitted: {}\n\n", study.kaplan.refused);
  const auto& fit = *study.kaplan.fit;
  const auto level = study.options.bootstrap.level;
  const auto of = [&](const char* what, auto get) { return spread(what, fit.law, fit.resamples, level, get); };
  return "Kaplan's laws\n" + power("L(N) = (Nc/N)^alpha, the lowest loss of each size", fit.of_parameters, level) +
         power("L(D) = (Dc/D)^alpha, the lowest loss of each token count", fit.of_tokens, level) +
         "  L(N,D) = [(Nc/N)^(alpha_n/alpha_d) + Dc/D]^alpha_d\n" +
         of("  Nc", [](const KaplanLaw& l) { return l.n_c; }) + of("  Dc", [](const KaplanLaw& l) { return l.d_c; }) +
         of("  alpha_n", [](const KaplanLaw& l) { return l.alpha_n; }) +
         of("  alpha_d", [](const KaplanLaw& l) { return l.alpha_d; }) +
         fmt::format("    objective {:.15g}, as approach 3's\n\n", fit.objective);
}

std::string repetition(const StudyFit& study) {
  if (!study.repetition.fit) return fmt::format("data-constrained law: not fitted: {}\n\n", study.repetition.refused);
  const auto& fit = *study.repetition.fit;
  const auto of = [&](const char* what, auto get) {
    return spread(what, fit.law, fit.resamples, study.options.bootstrap.level, get);
  };
  return fmt::format("data-constrained law: base from {} runs that repeat nothing, repetition from {}\n", fit.fresh,
                     fit.repeated) +
         of("R_D (tokens)", [](const RepetitionLaw& l) { return l.r_d; }) +
         (std::isnan(fit.law.r_n) ? "  R_N (parameters): no run has more of them than its unique tokens call for\n"
                                  : of("R_N (parameters)", [](const RepetitionLaw& l) { return l.r_n; })) +
         "\n";
}

std::string accuracy(const StudyFit& study) {
  if (!study.accuracy.fit) return fmt::format("accuracy: not fitted: {}\n\n", study.accuracy.refused);
  const auto& fit = *study.accuracy.fit;
  const auto of = [&](const char* what, auto get) {
    return spread(what, fit.law, fit.resamples, study.options.bootstrap.level, get);
  };
  const auto& t = fit.task.law;
  return fmt::format("accuracy, of {} rows: {} = {:.6g} + {:.6g}/N^{:.6g} + {:.6g}/D^{:.6g}, then a logistic curve\n",
                     fit.points, fit.own_loss ? "task loss" : "loss", t.E, t.A, t.alpha, t.B, t.beta) +
         of("floor", [](const AccuracyLaw& l) { return l.floor; }) +
         of("ceiling", [](const AccuracyLaw& l) { return l.ceiling; }) +
         of("middle (of the loss)", [](const AccuracyLaw& l) { return l.middle; }) +
         of("width", [](const AccuracyLaw& l) { return l.width; }) +
         fmt::format("  root mean square error of the curve: {:.3g}\n\n", fit.rms_error);
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
  auto text = heading(study) + envelope(study) + isoflop(study) + parametric(study) + kaplan(study) +
              repetition(study) + accuracy(study) + holdout(study);
  for (const auto& p : study.predictions) text += prediction(p);
  text.pop_back();
  return text;
}

}  // namespace trireme
