// SPDX-License-Identifier: Apache-2.0
#include "launch/study_page.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <map>
#include <string_view>

#include "core/io/chart.h"
#include "core/scaling/csv.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

// Of the results' columns, those that the table of runs shows as they are. What is in neither list (losses of other
// validation sets, scores of exams, the grid's settings) is shown too.
constexpr std::array<std::string_view, 7> kShown = {"layers", "width",      "learning_rate", "global_batch",
                                                    "steps",  "train_loss", "seconds"};
constexpr std::array<std::string_view, 29> kNotShown = {"run",
                                                        "hash",
                                                        "status",
                                                        "held_out",
                                                        "shape",
                                                        "heads",
                                                        "feed_forward",
                                                        "vocabulary",
                                                        "budget",
                                                        "budget_flops",
                                                        "branch_of",
                                                        "trunk",
                                                        "params_total",
                                                        "params_non_embedding",
                                                        "params_chinchilla",
                                                        "tokens",
                                                        "unique_tokens",
                                                        "flops_6nd",
                                                        "flops_appendix_f",
                                                        "sequence",
                                                        "seed",
                                                        "validation_loss",
                                                        "steps_made",
                                                        "skipped",
                                                        "failed_attempts",
                                                        "reason",
                                                        "ranks",
                                                        "tokens_per_second",
                                                        "version"};

double number_in(const std::string& text) {
  double value = kNotGiven;
  const auto [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  return problem == std::errc() && stop == text.data() + text.size() ? value : kNotGiven;
}

/// Numbers in the digits that people read, words as they are.
std::string shown(const std::string& text) {
  const auto value = number_in(text);
  return std::isfinite(value) ? number_text(value, 4) : text;
}

/// A table by the names of its columns.
class Rows {
 public:
  explicit Rows(CsvTable table) : table_(std::move(table)) {
    for (std::size_t i = 0; i < table_.columns.size(); ++i) places_[table_.columns[i]] = i;
  }

  std::size_t size() const { return table_.rows.size(); }
  const std::vector<std::string>& columns() const { return table_.columns; }
  /// Empty where there is no such column.
  std::string text(std::size_t row, const std::string& column) const {
    const auto hit = places_.find(column);
    return hit == places_.end() ? "" : table_.rows[row][hit->second];
  }
  double number(std::size_t row, const std::string& column) const { return number_in(text(row, column)); }

 private:
  CsvTable table_;
  std::map<std::string, std::size_t> places_;
};

/// Which columns have N, C and the loss, as the study counts.
struct Counting {
  std::string parameters, flops, loss;

  explicit Counting(const StudySettings& settings)
      : parameters(fmt::format("params_{}", kParameterCounts[static_cast<std::size_t>(settings.parameters)])),
        flops(fmt::format("flops_{}", kFlopCounts[static_cast<std::size_t>(settings.flops)])),
        loss(settings.base.data.validation > 0 ? "validation_loss" : "train_loss") {}

  ScalingPoint point(const Rows& rows, std::size_t row, const std::string& loss_column) const {
    ScalingPoint p;
    p.run = rows.text(row, "run");
    p.parameters = rows.number(row, parameters);
    p.tokens = rows.number(row, "tokens");
    p.flops = rows.number(row, flops);
    p.loss = rows.number(row, loss_column);
    return p;
  }
};

std::vector<std::string> more_columns(const Rows& rows) {
  std::vector<std::string> columns;
  for (const auto& name : rows.columns()) {
    if (std::ranges::find(kNotShown, name) == kNotShown.end()) columns.push_back(name);
  }
  // The known ones first, in their own order.
  std::ranges::stable_sort(columns, {}, [](const std::string& name) { return std::ranges::find(kShown, name); });
  return columns;
}

ReportRun::Use use_of(const Rows& rows, std::size_t row) {
  if (rows.text(row, "status") != "done") return ReportRun::Use::failed;
  return rows.text(row, "held_out") == "yes" ? ReportRun::Use::held_out : ReportRun::Use::fitted;
}

Rows rows_of(const fs::path& path) { return Rows(fs::exists(path) ? read_table(path.string()) : CsvTable()); }

}  // namespace

std::vector<std::pair<std::string, std::string>> machine_facts(const World& world, const Device& device) {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  return {{"device", device.description()},
          {"ranks of the last start", fmt::format("{} on {} node{}", world.size(), world.size() / world.local_size(),
                                                  world.size() > world.local_size() ? "s" : "")},
          {"Trireme", TRIREME_VERSION},
          {"written", fmt::format("{:%Y-%m-%d %H:%M} UTC", now)}};
}

StudyReport study_page(const Study& study, const Outcome<StudyLaw>& law, const StudySurroundings& surroundings) {
  const auto& settings = study.settings;
  const Counting counting(settings);
  const auto results = rows_of(fs::path(settings.folder) / "results.csv");
  const auto curves = rows_of(fs::path(settings.folder) / "curves.csv");
  StudyReport report{.title = "Scaling-law study: " + settings.name, .law = {std::nullopt, law.refused}};
  report.parameters = fmt::format("{} (column {})", kParameterCounts[static_cast<std::size_t>(settings.parameters)],
                                  counting.parameters);
  report.flops = fmt::format("{} (column {})", kFlopCounts[static_cast<std::size_t>(settings.flops)], counting.flops);
  report.loss = counting.loss;
  report.warnings = study.notes;
  report.machine = surroundings.machine;
  report.configuration = surroundings.configuration;
  report.more_columns = more_columns(results);
  for (std::size_t row = 0; row < results.size(); ++row) {
    ReportRun run{use_of(results, row), counting.point(results, row, counting.loss), results.text(row, "reason")};
    for (const auto& column : report.more_columns) run.more.push_back(shown(results.text(row, column)));
    report.runs.push_back(std::move(run));
  }
  for (std::size_t row = 0; row < curves.size(); ++row) {
    report.curves.push_back(counting.point(curves, row, "train_loss"));
  }
  if (!law.fit) return report;
  report.law.fit = law.fit->fit;
  for (const auto& run : law.fit->held_out) {
    ScalingPoint p;
    p.run = run.run;
    p.parameters = run.predicted.parameters.value;
    p.tokens = run.predicted.tokens.value;
    p.flops = run.predicted.flops;
    p.loss = run.loss;
    report.held_out.push_back({p, run.predicted});
  }
  return report;
}

}  // namespace trireme
