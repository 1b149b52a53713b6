// SPDX-License-Identifier: Apache-2.0
// `trireme fit`: scaling laws with intervals, from any table of runs.
#include <boost/program_options/value_semantic.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <charconv>
#include <cmath>
#include <filesystem>

#include "core/base/error.h"
#include "core/scaling/csv.h"
#include "core/scaling/fit_report.h"
#include "core/scaling/study_fit.h"
#include "core/scaling/study_report.h"
#include "core/scaling/study_table.h"
#include "launch/commands.h"

namespace trireme {
namespace {

namespace po = boost::program_options;
using Strings = std::vector<std::string>;

/// "6e18,1e19" as numbers above 0.
std::vector<double> positive_numbers(const std::string& text, const std::string& option) {
  std::vector<double> numbers;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find(',', begin), text.size());
    double value = 0;
    const auto [stop, problem] = std::from_chars(text.data() + begin, text.data() + end, value);
    check_usage(problem == std::errc() && stop == text.data() + end && std::isfinite(value) && value > 0,
                "--{} {}: expected numbers above 0, separated by commas, e.g. 1e21", option, text);
    numbers.push_back(value);
    begin = end + 1;
  }
  return numbers;
}

ColumnChoice columns_of(const Arguments& values) {
  ColumnChoice choice;
  for (const auto role : kColumnRoles) {
    const auto option = name(role) + "-column";
    if (values.count(option) != 0) choice.given[role] = values[option].as<std::string>();
  }
  if (values.count("only") == 0) return choice;
  for (const auto& only : values["only"].as<Strings>()) {
    const auto at = only.find('=');
    check_usage(at != std::string::npos && at > 0, "--only {}: expected COLUMN=VALUE", only);
    choice.only.emplace_back(only.substr(0, at), only.substr(at + 1));
  }
  return choice;
}

FitOptions options_of(const Arguments& values) {
  FitOptions options;
  auto& bootstrap = options.bootstrap;
  bootstrap.resamples = values["resamples"].as<int>();
  check_usage(bootstrap.resamples >= 100 && bootstrap.resamples <= 1'000'000,
              "--resamples {}: expected 100 to 1000000; fewer give no interval", bootstrap.resamples);
  bootstrap.seed = values["seed"].as<std::uint64_t>();
  bootstrap.threads = values["threads"].as<int>();
  check_usage(bootstrap.threads >= 1 && bootstrap.threads <= 1024, "--threads {}: expected 1 to 1024",
              bootstrap.threads);
  const auto level = values["level"].as<double>();
  check_usage(level > 0 && level < 100, "--level {}: expected percent, above 0 and below 100", level);
  bootstrap.level = level / 100;
  const auto dropped = values["drop-highest"].as<int>();
  check_usage(dropped >= 0, "--drop-highest {} is negative", dropped);
  options.drop_highest = static_cast<std::size_t>(dropped);
  if (values.count("holdout") != 0) {
    const auto flops = positive_numbers(values["holdout"].as<std::string>(), "holdout");
    check_usage(flops.size() == 1, "--holdout: expected one number of FLOPs");
    options.holdout_flops = flops[0];
  }
  if (values.count("budgets") != 0) {
    options.isoflop.budgets = positive_numbers(values["budgets"].as<std::string>(), "budgets");
  }
  options.isoflop.tolerance = values["budget-tolerance"].as<double>();
  check_usage(options.isoflop.tolerance > 0 && options.isoflop.tolerance < 1,
              "--budget-tolerance {}: expected above 0 and below 1", options.isoflop.tolerance);
  if (values.count("chance") != 0) {
    options.chance = values["chance"].as<double>();
    check_usage(options.chance >= 0 && options.chance < 1, "--chance {}: expected 0 or more, below 1", options.chance);
  }
  if (values.count("predict") == 0) return options;
  for (const auto& word : values["predict"].as<Strings>()) {
    const auto numbers = positive_numbers(word, "predict");
    check_usage(numbers.size() <= 2, "--predict {}: expected FLOPs, or N,D", word);
    if (numbers.size() == 1) options.predict_flops.push_back(numbers[0]);
    if (numbers.size() == 2) options.predict_sizes.emplace_back(numbers[0], numbers[1]);
  }
  return options;
}

void add_options(po::options_description& options) {
  options.add_options()("predict", po::value<Strings>()->composing(),
                        "FLOPS: the best N and D of a budget and their loss; N,D: the loss of N parameters on D "
                        "tokens; may be repeated")("drop-highest", po::value<int>()->default_value(0),
                                                   "outliers: leave out so many rows of highest loss")(
      "holdout", po::value<std::string>(),
      "FLOPS: check the law of the runs below against those from here on; default: the largest fifth")(
      "out", po::value<std::string>(),
      "FOLDER for report.html, and in FOLDER/pictures its pictures (SVG) and the numbers in them (CSV)")(
      "curves", po::value<std::string>(),
      "TABLE of training curves, rows of runs as they went, for approach 1; default: TABLE, where runs have several "
      "rows")("budgets", po::value<std::string>(),
              "FLOPS,FLOPS,...: of the IsoFLOP profiles; default: those that at least three sizes have")(
      "budget-tolerance", po::value<double>()->default_value(0.12),
      "how near to a budget a run's FLOPs must be, as a difference of logarithms")(
      "chance", po::value<double>(), "accuracy of guessing, e.g. 0.25; default: fitted")(
      "only", po::value<Strings>()->composing(), "COLUMN=VALUE: leave other rows out; may be repeated")(
      "resamples", po::value<int>()->default_value(4000), "of the bootstrap over runs")(
      "level", po::value<double>()->default_value(95), "of the intervals, in percent")(
      "seed", po::value<std::uint64_t>()->default_value(1), "of the resamples")(
      "threads", po::value<int>()->default_value(1), "for the bootstrap; the numbers are the same on any");
  for (const auto role : kColumnRoles) {
    options.add_options()((name(role) + "-column").c_str(), po::value<std::string>(),
                          fmt::format("the column of {}; default: known by its name", name(role)).c_str());
  }
}

}  // namespace

int fit_command(std::span<const std::string> arguments) {
  CommandLine line{"fit TABLE [--predict FLOPS] [--predict N,D]",
                   "Fits scaling laws to a table of runs (comma-separated values: parameters, tokens or FLOPs, loss), "
                   "with intervals, residuals and a hold-out check.",
                   po::options_description("Options"),
                   {"table"}};
  add_options(line.options);
  const auto values = parse_command_line(line, arguments);
  if (!values) return 0;
  const auto path = required(*values, "table");
  const auto options = options_of(*values);
  const auto table = read_study(read_table(path), columns_of(*values), path);
  check_usage(!table.points.empty(), "{} has no rows{}", path, table.left_out > 0 ? " that --only leaves" : "");
  auto curves = table.points;
  if (values->count("curves") != 0) {
    const auto file = (*values)["curves"].as<std::string>();
    curves = read_study(read_table(file), {}, file).points;
  }
  const auto study = fit_study({table.points, table.parameters, table.flops, path, curves}, options);
  if (values->count("out") != 0) {
    auto report = report_of(study, "Scaling laws of " + std::filesystem::path(path).filename().string());
    for (const auto& word : arguments)
      report.configuration += (report.configuration.empty() ? "trireme fit " : " ") + word;
    write_report(report, (*values)["out"].as<std::string>());
  }
  fmt::print("{}", values->count("json") != 0 ? to_json(study).dump() + "\n" : to_text(study));
  return 0;
}

}  // namespace trireme
