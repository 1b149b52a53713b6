// SPDX-License-Identifier: Apache-2.0
// What a study says, and what is doubtful about it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/io/html_page.h"
#include "core/scaling/report_parts.h"

namespace trireme {
namespace {

constexpr double kFar = 100;          // times the largest run: beyond it nobody has seen such a law hold
constexpr double kRepeated = 4;       // epochs, after which tokens are worth clearly less (Muennighoff et al. 2023)
constexpr double kPoorlyKnown = 0.2;  // width of the interval of a: it tells 0.4 from 0.6 no more

double most_flops(const StudyFit& study) {
  double most = 0;
  for (const auto& p : study.rows.points) most = std::max(most, p.flops);
  return most;
}

/// The budgets that were asked about; where there were none, the next two powers of ten.
std::vector<Prediction> budgets_of(const StudyFit& study) {
  const auto asked = static_cast<std::ptrdiff_t>(study.options.predict_flops.size());
  if (asked > 0) return {study.predictions.begin(), study.predictions.begin() + asked};
  const auto next = std::pow(10.0, std::floor(std::log10(most_flops(study))) + 1);
  std::vector<Prediction> budgets;
  for (const auto flops : {next, 10 * next}) {
    budgets.push_back(predict_budget(study.parametric, study.options.bootstrap, flops));
  }
  return budgets;
}

std::string interval_text(const Interval& i, int digits) {
  return fmt::format("{} to {}", in_words(i.low, digits), in_words(i.high, digits));
}

std::string loss_text(const Interval& i) { return fmt::format("{:.4f} to {:.4f}", i.low, i.high); }

Estimate exponent_a(const StudyFit& study) {
  const auto of = [](const ChinchillaLaw& law) { return law.a(); };
  return {of(study.parametric.law),
          percentile_interval(over_resamples(study.parametric, of), study.options.bootstrap.level)};
}

/// "A budget of 5.76e23 FLOPs is spent best on ..."
std::string sentence(const Prediction& p) {
  return fmt::format(
      "<p>A budget of <b>{}</b> FLOPs is spent best on a model of <b>{}</b> parameters ({}), trained on <b>{}</b> "
      "tokens ({}): {:.3g} tokens a parameter. The loss to be expected is {:.4f} nats a token ({:.4f} to {:.4f}); that "
      "of a single run lies between {:.4f} and {:.4f}.</p>\n",
      number_text(p.flops, 4), in_words(p.parameters.value, 3), interval_text(p.parameters.interval, 3),
      in_words(p.tokens.value, 3), interval_text(p.tokens.interval, 3), p.tokens.value / p.parameters.value,
      p.loss.value, p.loss.interval.low, p.loss.interval.high, p.one_run.low, p.one_run.high);
}

std::string growth(const StudyFit& study) {
  const auto a = exponent_a(study);
  const char* words = a.interval.low > 0.5    ? "size grows faster than the number of tokens"
                      : a.interval.high < 0.5 ? "size grows more slowly than the number of tokens"
                                              : "size and tokens grow alike, as far as these runs can tell";
  return fmt::format(
      "<p>The best size grows as C<sup>{:.3f}</sup> ({:.3f} to {:.3f}), the best number of tokens as "
      "C<sup>{:.3f}</sup>: {}. Intervals hold {:g} %.</p>\n",
      a.value, a.interval.low, a.interval.high, 1 - a.value, words, 100 * study.options.bootstrap.level);
}

/// A column for each budget.
HtmlTable budget_table(const StudyFit& study, const std::vector<Prediction>& budgets) {
  HtmlTable table{{"FLOPs (6ND)"}, {false}, {}};
  const auto row = [&](const char* name, auto value) {
    table.rows.push_back({name});
    for (const auto& p : budgets) table.rows.back().push_back(value(p));
  };
  for (const auto& p : budgets) {
    table.columns.push_back(number_text(p.flops, 4));
    table.numbers.push_back(true);
  }
  row("times the largest run", [&](const Prediction& p) { return in_words(p.flops / most_flops(study), 3); });
  row("parameters N*", [](const Prediction& p) { return in_words(p.parameters); });
  row("tokens D*", [](const Prediction& p) { return in_words(p.tokens); });
  row("D*/N*", [](const Prediction& p) { return number_text(p.tokens.value / p.parameters.value, 3); });
  row("loss", [](const Prediction& p) { return fmt::format("{:.4f} ({})", p.loss.value, loss_text(p.loss.interval)); });
  row("loss of a single run", [](const Prediction& p) { return loss_text(p.one_run); });
  if (study.accuracy.fit) {
    row("accuracy", [](const Prediction& p) { return p.accuracy ? in_words(*p.accuracy) : std::string(); });
  }
  return table;
}

/// The losses that were asked for by N and D.
std::string sizes_table(const StudyFit& study) {
  HtmlTable table{{"N", "D", "FLOPs (6ND)", "loss", "interval", "a single run's"}, std::vector<bool>(6, true), {}};
  for (std::size_t i = study.options.predict_flops.size(); i < study.predictions.size(); ++i) {
    const auto& p = study.predictions[i];
    table.rows.push_back({in_words(p.parameters.value), in_words(p.tokens.value), number_text(p.flops, 4),
                          fmt::format("{:.4f}", p.loss.value), loss_text(p.loss.interval), loss_text(p.one_run)});
  }
  return table.rows.empty() ? "" : "<p>And of the sizes that were asked about:</p>\n" + html_of(table);
}

/// What each approach, and what others have published, says of one budget.
HtmlTable approaches_table(const StudyFit& study, const Prediction& p) {
  HtmlTable table{
      {"approach", "a (N* ~ C^a)", "interval", "N*", "interval", "D*"}, {false, true, true, true, true, true}, {}};
  const auto level = study.options.bootstrap.level;
  const auto add = [&](const char* name, const ComputeLines& lines, const std::vector<ComputeLines>& resamples) {
    std::vector<double> exponents, sizes;
    for (const auto& r : resamples) {
      exponents.push_back(r.parameters.exponent);
      sizes.push_back(r.parameters.at(p.flops));
    }
    const auto a = percentile_interval(exponents, level);
    table.rows.push_back({name, fmt::format("{:.3f}", lines.parameters.exponent),
                          fmt::format("{:.3f} to {:.3f}", a.low, a.high), in_words(lines.parameters.at(p.flops)),
                          interval_text(percentile_interval(sizes, level), 3), in_words(lines.tokens.at(p.flops))});
  };
  if (study.envelope.fit) {
    add("1, envelope of curves", study.envelope.fit->lines, study.envelope.fit->resamples);
  }
  if (study.isoflop.fit) add("2, IsoFLOP profiles", study.isoflop.fit->lines, study.isoflop.fit->resamples);
  const auto a = exponent_a(study);
  table.rows.push_back({"3, parametric", fmt::format("{:.3f}", a.value),
                        fmt::format("{:.3f} to {:.3f}", a.interval.low, a.interval.high), in_words(p.parameters.value),
                        interval_text(p.parameters.interval, 3), in_words(p.tokens.value)});
  for (const auto& line : published_lines()) {
    const auto n = line.parameters.at(p.flops);
    table.rows.push_back({std::string(line.name), fmt::format("{:.3f}", line.parameters.exponent), "", in_words(n), "",
                          in_words(p.flops / (6 * n))});
  }
  return table;
}

std::string refused_answer(const StudyReport& report) {
  const ReportRun* best = nullptr;
  for (const auto& run : report.runs) {
    if (std::isfinite(run.point.loss) && (best == nullptr || run.point.loss < best->point.loss)) best = &run;
  }
  auto text = fmt::format("<div class=\"answer\"><p><b>These runs determine no law:</b> {}.</p>\n",
                          html_escaped(report.law.refused));
  if (best != nullptr) {
    text += fmt::format("<p>The lowest loss is {:.4f} nats a token, of {}: {} parameters on {} tokens.</p>\n",
                        best->point.loss, html_escaped(best->point.run.empty() ? "a run" : best->point.run),
                        in_words(best->point.parameters), in_words(best->point.tokens));
  }
  return text + "</div>\n";
}

void warn_of_profiles(const IsoflopFit& fit, const Interval& a, double level, std::vector<std::string>& warnings) {
  for (const auto& p : fit.profiles) {
    if (p.problem.empty()) continue;
    warnings.push_back(
        fmt::format("The profile of {} FLOPs is left out of approach 2: {}.", number_text(p.flops, 3), p.problem));
  }
  std::vector<double> exponents;
  for (const auto& r : fit.resamples) exponents.push_back(r.parameters.exponent);
  const auto other = percentile_interval(exponents, level);
  if (other.low <= a.high && other.high >= a.low) return;
  warnings.push_back(
      fmt::format("Approaches 2 and 3 disagree: a of {:.3f} to {:.3f} against {:.3f} to {:.3f}. The runs do not follow "
                  "one law; look "
                  "at the residuals.",
                  other.low, other.high, a.low, a.high));
}

void warn_of_law(const StudyFit& study, std::vector<std::string>& warnings) {
  const auto level = study.options.bootstrap.level;
  const auto a = exponent_a(study);
  if (a.interval.high - a.interval.low > kPoorlyKnown) {
    warnings.push_back(
        fmt::format("The exponent a is only known to lie between {:.3f} and {:.3f}: a wider range of budgets, or more "
                    "runs at its ends, would narrow it.",
                    a.interval.low, a.interval.high));
  }
  if (study.isoflop.fit) warn_of_profiles(*study.isoflop.fit, a.interval, level, warnings);
  if (study.holdout.fit) {
    const auto& h = *study.holdout.fit;
    const auto runs = static_cast<double>(h.runs.size());
    // Two standard deviations of a binomial below what intervals of this level promise.
    if (static_cast<double>(h.within) < level * runs - 2 * std::sqrt(runs * level * (1 - level))) {
      warnings.push_back(
          fmt::format("In the hold-out check {} of {} runs lie in their interval of {:g} %: the law bends, "
                      "or runs are noisier than it knows. Take its intervals as too narrow.",
                      h.within, h.runs.size(), 100 * level));
    }
  }
  for (const auto& p : budgets_of(study)) {
    const auto times = p.flops / most_flops(study);
    if (times > kFar) {
      warnings.push_back(
          fmt::format("{} FLOPs are {} times the largest run: no interval knows whether the law holds so "
                      "far out.",
                      number_text(p.flops, 4), in_words(times, 3)));
    }
  }
  double epochs = 0;
  for (const auto& p : study.rows.points) {
    if (p.unique_tokens > 0) epochs = std::max(epochs, p.tokens / p.unique_tokens);
  }
  if (epochs > kRepeated) {
    warnings.push_back(
        fmt::format("Data was repeated up to {:.3g} times; laws of fresh tokens do not say what tokens "
                    "are worth that are seen again.",
                    epochs));
  }
  if (!study.dropped.empty()) {
    warnings.push_back(fmt::format("The {} rows of highest loss were left out as asked.", study.dropped.size()));
  }
}

}  // namespace

std::string answer_part(const StudyReport& report) {
  if (!report.law.fit) return refused_answer(report);
  const auto& study = *report.law.fit;
  const auto budgets = budgets_of(study);
  std::string text = "<div class=\"answer\">\n";
  for (const auto& p : budgets) text += sentence(p);
  text += growth(study) + "</div>\n" + html_of(budget_table(study, budgets)) + sizes_table(study);
  if (study.options.predict_flops.empty()) {
    text += "<p class=\"soft\">No budget was asked about: these are the next two powers of ten.</p>\n";
  }
  return text +
         fmt::format("<h3>Each approach, and what others have published, at {} FLOPs</h3>\n",
                     number_text(budgets.back().flops, 4)) +
         html_of(approaches_table(study, budgets.back()));
}

std::vector<std::string> report_warnings(const StudyReport& report) {
  auto warnings = report.warnings;
  const auto failed = std::count_if(report.runs.begin(), report.runs.end(),
                                    [](const ReportRun& run) { return run.use == ReportRun::Use::failed; });
  if (failed > 0) {
    warnings.push_back(
        fmt::format("{} of {} runs failed; the table of runs has the reasons.", failed, report.runs.size()));
  }
  if (report.law.fit) warn_of_law(*report.law.fit, warnings);
  return warnings;
}

}  // namespace trireme
