// SPDX-License-Identifier: Apache-2.0
#include "launch/study_law.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <map>

#include "core/base/error.h"
#include "core/scaling/csv.h"
#include "core/scaling/fit_report.h"
#include "core/scaling/study_table.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

/// Which of the tables' rows and columns the laws are fitted to.
ColumnChoice choice_of(const StudySettings& settings, const char* loss, const char* held_out) {
  const auto column = [](const char* what, std::string_view count) { return fmt::format("{}_{}", what, count); };
  ColumnChoice choice;
  choice.given[ColumnRole::parameters] =
      column("params", kParameterCounts[static_cast<std::size_t>(settings.parameters)]);
  choice.given[ColumnRole::flops] = column("flops", kFlopCounts[static_cast<std::size_t>(settings.flops)]);
  choice.given[ColumnRole::loss] = loss;
  choice.given[ColumnRole::run] = "trunk";
  choice.only = {{"status", "done"}, {"held_out", held_out}};
  return choice;
}

FitOptions options_of(const StudySettings& settings) {
  FitOptions options;
  options.bootstrap.resamples = static_cast<int>(settings.fit.resamples);
  options.bootstrap.level = settings.fit.level;
  options.bootstrap.seed = static_cast<std::uint64_t>(settings.fit.seed);
  options.predict_flops = settings.fit.predict;
  return options;
}

/// What the column "run" says of each point: the bootstrap's run is the trunk, which a branch shares with others.
std::vector<std::string> names_of(const CsvTable& table, const std::vector<ScalingPoint>& points) {
  const auto column = std::ranges::find(table.columns, "run") - table.columns.begin();
  std::map<std::size_t, std::string> by_line;
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    by_line[table.lines[row]] = table.rows[row].at(static_cast<std::size_t>(column));
  }
  std::vector<std::string> names;
  for (const auto& point : points) names.push_back(by_line.at(point.line));
  return names;
}

/// Those of the runs that fits are made from.
std::vector<ScalingPoint> read_curves(const StudySettings& settings, const std::string& path) {
  const auto table = read_table(path);
  auto points = read_study(table, choice_of(settings, "train_loss", "no"), path).points;
  const auto names = names_of(table, points);
  for (std::size_t i = 0; i < points.size(); ++i) points[i].curve = names[i];
  return points;
}

}  // namespace

StudyLaw fit_results(const Study& study) {
  const auto& settings = study.settings;
  const auto path = (fs::path(settings.folder) / "results.csv").string();
  const auto curves_path = (fs::path(settings.folder) / "curves.csv").string();
  const auto* loss = settings.base.data.validation > 0 ? "validation_loss" : "train_loss";
  const auto options = options_of(settings);
  const auto table = read_table(path);
  const auto rows = read_study(table, choice_of(settings, loss, "no"), path);
  check_usage(!rows.points.empty(), "no run of it is done");
  StudyLaw law{fit_study({rows.points, rows.parameters, rows.flops, path, read_curves(settings, curves_path)}, options),
               {}};
  const auto others = read_study(table, choice_of(settings, loss, "yes"), path).points;
  const auto names = names_of(table, others);
  for (std::size_t i = 0; i < others.size(); ++i) {
    law.held_out.push_back(
        {names[i], others[i].loss,
         predict_sizes(law.fit.parametric, options.bootstrap, others[i].parameters, others[i].tokens)});
  }
  return law;
}

std::string to_text(const StudyLaw& law) {
  auto text = to_text(law.fit);
  for (const HeldOutRun& run : law.held_out) {
    const auto& one = run.predicted.one_run;
    text += fmt::format(
        "\nheld out: {} ({:.4g} FLOPs as 6ND): predicted {:.4f} [{:.4f}, {:.4f}], measured {:.4f}: {:+.2f} %, {} the "
        "interval\n",
        run.run, run.predicted.flops, run.predicted.loss.value, one.low, one.high, run.loss, 100 * run.error(),
        run.within() ? "within" : "NOT within");
  }
  return text;
}

nlohmann::json to_json(const StudyLaw& law) {
  auto json = to_json(law.fit);
  json["held_out"] = nlohmann::json::array();
  for (const HeldOutRun& run : law.held_out) {
    const auto& p = run.predicted;
    json["held_out"].push_back({{"run", run.run},
                                {"parameters", p.parameters.value},
                                {"tokens", p.tokens.value},
                                {"flops_6nd", p.flops},
                                {"loss", run.loss},
                                {"predicted", p.loss.value},
                                {"interval_of_the_law", {p.loss.interval.low, p.loss.interval.high}},
                                {"interval_of_one_run", {p.one_run.low, p.one_run.high}},
                                {"error", run.error()},
                                {"within", run.within()}});
  }
  return json;
}

}  // namespace trireme
