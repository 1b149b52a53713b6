// SPDX-License-Identifier: Apache-2.0
// The tables of a study's page: coefficients, checks, runs; and how things are counted.
#include <fmt/format.h>

#include <cmath>

#include "core/io/html_page.h"
#include "core/scaling/report_parts.h"

namespace trireme {
namespace {

/// Coefficients of one law: a row each.
class Coefficients {
 public:
  explicit Coefficients(double level) : level_(level) {}

  void add(const char* name, double value, std::span<const double> resamples) {
    const auto interval = percentile_interval(resamples, level_);
    table_.rows.push_back(
        {name, fmt::format("{:.15g}", value), number_text(interval.low, 4), number_text(interval.high, 4)});
  }
  template <class Law, class Of>
  void add(const char* name, const Law& law, const std::vector<Law>& resamples, Of of) {
    std::vector<double> values;
    for (const auto& r : resamples) values.push_back(of(r));
    add(name, of(law), values);
  }
  std::string html() const { return html_of(table_); }

 private:
  double level_;
  HtmlTable table_{{"", "value", "from", "to"}, {false, true, true, true}, {}};
};

std::string head(const std::string& title, const std::string& words) {
  return fmt::format("<h3>{}</h3>\n<p class=\"soft\">{}</p>\n", html_escaped(title), html_escaped(words));
}
std::string none(const std::string& title, const std::string& reason) {
  return head(title, "Not fitted: " + reason + ".");
}

std::string lines(const ComputeLines& lines, const std::vector<ComputeLines>& resamples, double level) {
  Coefficients c(level);
  c.add("a (N* ~ C^a)", lines, resamples, [](const ComputeLines& l) { return l.parameters.exponent; });
  c.add("b (D* ~ C^b)", lines, resamples, [](const ComputeLines& l) { return l.tokens.exponent; });
  c.add("log of N* at C = 1", lines, resamples, [](const ComputeLines& l) { return l.parameters.intercept; });
  c.add("log of D* at C = 1", lines, resamples, [](const ComputeLines& l) { return l.tokens.intercept; });
  return c.html();
}

std::string envelope(const StudyFit& study) {
  const auto* title = "Approach 1: envelope of training curves";
  if (!study.envelope.fit) return none(title, study.envelope.refused);
  const auto& fit = *study.envelope.fit;
  return head(title, fmt::format("{} curves; at {} of 1500 amounts of compute a size between the smallest and the "
                                 "largest is best.",
                                 fit.runs, fit.envelope.size())) +
         lines(fit.lines, fit.resamples, study.options.bootstrap.level);
}

std::string isoflop(const StudyFit& study) {
  const auto* title = "Approach 2: IsoFLOP profiles";
  if (!study.isoflop.fit) return none(title, study.isoflop.refused);
  const auto& fit = *study.isoflop.fit;
  HtmlTable table{{"FLOPs", "runs", "N*", "from", "to", "loss", ""}, {true, true, true, true, true, true}, {}};
  for (const auto& p : fit.profiles) {
    const bool has = p.problem.empty();
    table.rows.push_back({number_text(p.flops, 4), std::to_string(p.points.size()), has ? in_words(p.parameters) : "",
                          has ? in_words(p.interval.low, 3) : "", has ? in_words(p.interval.high, 3) : "",
                          has ? fmt::format("{:.4f}", p.loss) : "", p.problem});
  }
  return head(title, fmt::format("Parabolas of loss over log N at {} budgets, a line through their minima.",
                                 fit.profiles.size())) +
         lines(fit.lines, fit.resamples, study.options.bootstrap.level) + html_of(table);
}

std::string parametric(const StudyFit& study) {
  using Law = ChinchillaLaw;
  const auto& fit = study.parametric;
  Coefficients c(study.options.bootstrap.level);
  c.add("E", fit.law, fit.resamples, [](const Law& l) { return l.E; });
  c.add("A", fit.law, fit.resamples, [](const Law& l) { return l.A; });
  c.add("B", fit.law, fit.resamples, [](const Law& l) { return l.B; });
  c.add("alpha", fit.law, fit.resamples, [](const Law& l) { return l.alpha; });
  c.add("beta", fit.law, fit.resamples, [](const Law& l) { return l.beta; });
  c.add("a (N* ~ C^a)", fit.law, fit.resamples, [](const Law& l) { return l.a(); });
  c.add("b (D* ~ C^b)", fit.law, fit.resamples, [](const Law& l) { return l.b(); });
  double squares = 0;
  for (const auto r : fit.residuals) squares += r * r;
  return head("Approach 3: L = E + A/N^alpha + B/D^beta",
              fmt::format("Sum of Huber losses (delta 1e-3) of log loss: {:.15g}; {} of {} searches ended there. "
                          "Residuals of log loss: root mean square {:.3g}.",
                          fit.objective, fit.agreeing, fit.starts,
                          std::sqrt(squares / static_cast<double>(fit.residuals.size())))) +
         c.html();
}

std::string kaplan(const StudyFit& study) {
  if (!study.kaplan.fit) return none("Kaplan's laws", study.kaplan.refused);
  const auto& fit = *study.kaplan.fit;
  Coefficients c(study.options.bootstrap.level);
  const auto power = [&](const PowerFit& law, const char* scale, const char* exponent) {
    if (!law.refused.empty()) return;
    c.add(scale, law.law, law.resamples, [](const PowerLaw& l) { return l.scale; });
    c.add(exponent, law.law, law.resamples, [](const PowerLaw& l) { return l.exponent; });
  };
  power(fit.of_parameters, "L(N): Nc", "L(N): exponent");
  power(fit.of_tokens, "L(D): Dc", "L(D): exponent");
  c.add("L(N, D): Nc", fit.law, fit.resamples, [](const KaplanLaw& l) { return l.n_c; });
  c.add("L(N, D): Dc", fit.law, fit.resamples, [](const KaplanLaw& l) { return l.d_c; });
  c.add("L(N, D): alpha_n", fit.law, fit.resamples, [](const KaplanLaw& l) { return l.alpha_n; });
  c.add("L(N, D): alpha_d", fit.law, fit.resamples, [](const KaplanLaw& l) { return l.alpha_d; });
  return head("Kaplan's laws",
              fmt::format("L(N) = (Nc/N)^x through the lowest loss of each size, L(D) = (Dc/D)^x through that of each "
                          "token count, L(N, D) = [(Nc/N)^(alpha_n/alpha_d) + Dc/D]^alpha_d over all rows (objective "
                          "{:.15g}).",
                          fit.objective)) +
         c.html();
}

std::string repetition(const StudyFit& study) {
  if (!study.repetition.fit) return none("Data-constrained law", study.repetition.refused);
  const auto& fit = *study.repetition.fit;
  Coefficients c(study.options.bootstrap.level);
  c.add("R_D (tokens)", fit.law, fit.resamples, [](const RepetitionLaw& l) { return l.r_d; });
  if (!std::isnan(fit.law.r_n)) {
    c.add("R_N (parameters)", fit.law, fit.resamples, [](const RepetitionLaw& l) { return l.r_n; });
  }
  return head("Data-constrained law", fmt::format("Base law of {} runs that repeat nothing, repetition of {} others.",
                                                  fit.fresh, fit.repeated)) +
         c.html();
}

std::string accuracy(const StudyFit& study) {
  if (!study.accuracy.fit) return none("Accuracy", study.accuracy.refused);
  const auto& fit = *study.accuracy.fit;
  Coefficients c(study.options.bootstrap.level);
  c.add("floor", fit.law, fit.resamples, [](const AccuracyLaw& l) { return l.floor; });
  c.add("ceiling", fit.law, fit.resamples, [](const AccuracyLaw& l) { return l.ceiling; });
  c.add("middle (of the loss)", fit.law, fit.resamples, [](const AccuracyLaw& l) { return l.middle; });
  c.add("width", fit.law, fit.resamples, [](const AccuracyLaw& l) { return l.width; });
  const auto& t = fit.task.law;
  return head("Accuracy", fmt::format("Of {} rows: {} = {:.6g} + {:.6g}/N^{:.6g} + {:.6g}/D^{:.6g}, then a logistic "
                                      "curve; root mean square error of the curve {:.3g}.",
                                      fit.points, fit.own_loss ? "task loss" : "loss", t.E, t.A, t.alpha, t.B, t.beta,
                                      fit.rms_error)) +
         c.html();
}

const char* words_of(ReportRun::Use use, bool law) {
  switch (use) {
    case ReportRun::Use::fitted:
      return law ? "fitted" : "done";
    case ReportRun::Use::held_out:
      return "held out";
    case ReportRun::Use::left_out:
      return "left out";
    case ReportRun::Use::failed:
      return "failed";
  }
  return "";
}

/// Whether all that stands in a column is numbers: they go to the right.
bool all_numbers(const std::vector<std::vector<std::string>>& rows, std::size_t column) {
  for (const auto& row : rows) {
    if (row[column].find_first_not_of("0123456789.+-eKMBT%") != std::string::npos) return false;
  }
  return true;
}

}  // namespace

std::string in_words(double value, int digits) { return std::isfinite(value) ? count_text(value, digits) : ""; }

std::string in_words(const Estimate& e, int digits) {
  return fmt::format("{} ({} to {})", in_words(e.value, digits), in_words(e.interval.low, digits),
                     in_words(e.interval.high, digits));
}

std::string coefficients_part(const StudyReport& report) {
  if (!report.law.fit) return "";
  const auto& study = *report.law.fit;
  return envelope(study) + isoflop(study) + parametric(study) + kaplan(study) + repetition(study) + accuracy(study);
}

std::string checks_part(const StudyReport& report) {
  if (!report.law.fit) return "";
  const auto& holdout = report.law.fit->holdout;
  std::string text;
  if (holdout.fit) {
    const auto& h = *holdout.fit;
    text += fmt::format(
        "<p>The law of the runs below {} FLOPs predicts the {} larger ones with an error of {:+.2f} % on "
        "average, {:.2f} % root mean square, {:+.2f} % at worst; {} of {} lie in the interval of a "
        "single run.</p>\n",
        number_text(h.flops, 4), h.runs.size(), 100 * h.mean_error, 100 * h.rms_error, 100 * h.worst_error, h.within,
        h.runs.size());
  } else {
    text += fmt::format("<p>No hold-out check: {}.</p>\n", html_escaped(holdout.refused));
  }
  if (report.held_out.empty()) return text;
  HtmlTable table{{"held out from the start", "N", "D", "predicted", "a single run's", "measured", "error", ""},
                  {false, true, true, true, true, true, true},
                  {}};
  for (const auto& [p, expected] : report.held_out) {
    table.rows.push_back({p.run, in_words(p.parameters), in_words(p.tokens), fmt::format("{:.4f}", expected.loss.value),
                          fmt::format("{:.4f} to {:.4f}", expected.one_run.low, expected.one_run.high),
                          fmt::format("{:.4f}", p.loss),
                          fmt::format("{:+.2f} %", 100 * (expected.loss.value / p.loss - 1)),
                          expected.one_run.holds(p.loss) ? "within" : "outside"});
  }
  return text + html_of(table);
}

std::string runs_part(const StudyReport& report) {
  HtmlTable table{{"run", "", "N", "D", "D/N", "FLOPs", "loss", "over the law"}, {}, {}};
  table.columns.insert(table.columns.end(), report.more_columns.begin(), report.more_columns.end());
  bool reasons = false;
  for (const auto& run : report.runs) {
    const auto& p = run.point;
    std::string over;
    if (report.law.fit && std::isfinite(p.loss)) {
      const auto part = p.loss / report.law.fit->parametric.law.loss(p.parameters, p.tokens) - 1;
      if (std::isfinite(part)) over = fmt::format("{:+.2f}%", 100 * part);
    }
    table.rows.push_back({p.run.empty() && p.line > 0 ? fmt::format("line {}", p.line) : p.run,
                          words_of(run.use, report.law.fit.has_value()), in_words(p.parameters), in_words(p.tokens),
                          in_words(p.tokens / p.parameters, 3), std::isfinite(p.flops) ? number_text(p.flops, 4) : "",
                          std::isfinite(p.loss) ? fmt::format("{:.4f}", p.loss) : "", over});
    for (std::size_t i = 0; i < report.more_columns.size(); ++i) {
      table.rows.back().push_back(i < run.more.size() ? run.more[i] : "");
    }
    table.rows.back().push_back(run.reason);
    reasons = reasons || !run.reason.empty();
  }
  if (reasons) {
    table.columns.emplace_back("reason");
  } else {
    for (auto& row : table.rows) row.pop_back();
  }
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    table.numbers.push_back(i >= 2 && !(reasons && i + 1 == table.columns.size()) && all_numbers(table.rows, i));
  }
  return table.rows.empty() ? "<p>There are none.</p>\n" : html_of(table);
}

std::string conventions_part(const StudyReport& report) {
  std::string text = fmt::format(
      "<ul>\n<li>N, parameters: {}.</li>\n<li>C, training FLOPs of a run: {}. Budgets of "
      "predictions are 6 N D.</li>\n<li>D, tokens: those trained on, repetitions counted."
      "</li>\n<li>Loss: nats a token{}.</li>\n",
      html_escaped(report.parameters), html_escaped(report.flops),
      report.loss.empty() ? "" : ", column " + html_escaped(report.loss));
  if (report.law.fit) {
    const auto& b = report.law.fit->options.bootstrap;
    text += fmt::format(
        "<li>Intervals hold the middle {:g} % of {} resamples of whole runs (seed {}). They do not know "
        "of what all runs share.</li>\n",
        100 * b.level, b.resamples, b.seed);
  }
  return text + "</ul>\n";
}

}  // namespace trireme
