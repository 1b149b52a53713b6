// SPDX-License-Identifier: Apache-2.0
#include "launch/coord_check.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <thread>
#include <tuple>

#include "core/base/error.h"
#include "core/io/atomic_file.h"
#include "core/io/chart.h"
#include "core/io/json.h"
#include "core/model/model.h"
#include "core/train/coordinate_check.h"
#include "launch/command.h"
#include "launch/random_tokens.h"
#include "launch/run.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kSteps = 4;
constexpr std::int64_t kMostSamples = 4;   // of an update
constexpr std::int64_t kMostTokens = 128;  // of a sample
constexpr std::int64_t kVocabulary = 512;  // of the made-up tokens: widths are compared, not languages
constexpr double kHalfWay = 0.5;           // between the exponents 0 and 1 that theory gives

/// One model of the study in one parametrization, and the widths' common measure: what moved after each update.
struct Row {
  std::string parametrization;
  std::int64_t width = 0;
  std::vector<double> block, logits;  // mean absolute change of the last block's output and of logits, by update
};

/// The study's shapes by width, each once.
std::vector<RunConfig> shapes_of(const Study& study) {
  std::map<std::int64_t, RunConfig> by_width;
  for (const StudyRun& run : study.runs) by_width.emplace(run.config.model.architecture.width, run.config);
  check_usage(
      by_width.size() >= 2,
      "a coordinate check compares widths, and all models of this study are {} wide; give `models` of two widths "
      "or more",
      by_width.empty() ? 0 : by_width.begin()->first);
  std::vector<RunConfig> shapes;
  shapes.reserve(by_width.size());
  for (auto& [width, config] : by_width) shapes.push_back(std::move(config));
  return shapes;
}

Row measured(World& world, const RunConfig& config, Parametrization parametrization) {
  Architecture a = config.model.architecture;
  a.parametrization = parametrization;
  a.vocabulary = kVocabulary;
  const CoordinateCheck check{.steps = kSteps,
                              .batch = std::min(kMostSamples, config.train.global_batch),
                              .sequence = std::min(kMostTokens, config.train.sequence),
                              .lr = config.optimizer.lr,
                              .seed = config.train.seed,
                              .precision = config.train.precision};
  const auto cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()) / world.local_size());
  const auto threads = config.cpu.threads > 0 ? static_cast<int>(config.cpu.threads) : cores;
  const auto device = make_cpu_device({.threads = threads});
  const auto ops = make_cpu_ops(*device);
  const auto stream = device->make_stream("compute");
  const auto self = make_self_group("self");
  const ParamTable table = Model(a).params();
  const auto store = make_params(table, *device, *ops, check.precision, {});
  RandomTokens tokens(*device, check.batch, check.sequence, a.vocabulary);
  const auto found = check_coordinates(a, check, *device, *ops, *stream, table, *store, *self, tokens);
  const auto changes = [](const Coordinate& c) { return std::vector(c.change.begin() + 1, c.change.end()); };
  return {.parametrization = parametrization == Parametrization::mup ? "mup" : "standard",
          .width = a.width,
          .block = changes(found[found.size() - 2]),
          .logits = changes(found.back())};
}

/// Every rank's rows, on every rank, in the order of parametrization and width.
std::vector<Row> gathered(World& world, const std::vector<Row>& own) {
  nlohmann::json list = nlohmann::json::array();
  for (const Row& row : own) list.push_back({row.parametrization, row.width, row.block, row.logits});
  std::vector<Row> rows;
  for (const auto& text : world.group().host_gather(list.dump())) {
    for (const auto& item : parse_json(text, "rows of a rank")) {
      rows.push_back(
          {item.at(0), item.at(1), item.at(2).get<std::vector<double>>(), item.at(3).get<std::vector<double>>()});
    }
  }
  std::ranges::sort(rows, [](const Row& x, const Row& y) {
    return std::tie(x.parametrization, x.width) < std::tie(y.parametrization, y.width);
  });
  return rows;
}

using Changes = std::vector<double> Row::*;

double exponent_of(const std::vector<Row>& rows, const std::string& parametrization, Changes changes) {
  std::vector<double> widths;
  std::vector<double> values;
  for (const Row& row : rows) {
    if (row.parametrization != parametrization) continue;
    widths.push_back(static_cast<double>(row.width));
    values.push_back((row.*changes).back());
  }
  return growth_exponent(widths, values);
}

std::string picture(const std::vector<Row>& rows, Changes changes, const std::string& what) {
  Chart chart{.title = fmt::format("How far {} moved in {} updates", what, kSteps),
              .x = {.label = "width", .logarithmic = true},
              .y = {.label = "mean absolute change; faint: after the updates before", .logarithmic = true},
              .series = {}};
  for (const int colour : {0, 1}) {
    const std::string parametrization = colour == 0 ? "mup" : "standard";
    for (std::size_t step = 0; step < static_cast<std::size_t>(kSteps); ++step) {
      const bool last = step + 1 == static_cast<std::size_t>(kSteps);
      ChartSeries series{.mark = last ? ChartSeries::Mark::line : ChartSeries::Mark::thin, .colour = colour};
      if (last) {
        series.name = fmt::format("{}: width^{:.2f}", parametrization, exponent_of(rows, parametrization, changes));
      }
      for (const Row& row : rows) {
        if (row.parametrization == parametrization) {
          series.points.push_back({static_cast<double>(row.width), (row.*changes)[step]});
        }
      }
      chart.series.push_back(std::move(series));
    }
  }
  return svg_of(chart);
}

std::string csv_of(const std::vector<Row>& rows) {
  std::string text = "parametrization,width,update,block_change,logits_change\n";
  for (const Row& row : rows) {
    for (std::size_t step = 0; step < row.block.size(); ++step) {
      text +=
          fmt::format("{},{},{},{},{}\n", row.parametrization, row.width, step + 1, row.block[step], row.logits[step]);
    }
  }
  return text;
}

void tell(const Study& study, const std::vector<Row>& rows, bool json) {
  const fs::path folder = study.settings.folder;
  fs::create_directories(folder);
  write_file_atomic(folder / "coord_check.csv", csv_of(rows));
  write_file_atomic(folder / "coord_check_block.svg", picture(rows, &Row::block, "the last block's output"));
  write_file_atomic(folder / "coord_check_logits.svg", picture(rows, &Row::logits, "logits"));
  nlohmann::json exponents;
  std::string text = fmt::format("{:<16}{:>8}{:>16}{:>16}\n", "parametrization", "width", "last block", "logits");
  for (const Row& row : rows) {
    text += fmt::format("{:<16}{:>8}{:>16.5g}{:>16.5g}\n", row.parametrization, row.width, row.block.back(),
                        row.logits.back());
  }
  for (const std::string parametrization : {"mup", "standard"}) {
    const double block = exponent_of(rows, parametrization, &Row::block);
    const double logits = exponent_of(rows, parametrization, &Row::logits);
    exponents[parametrization] = {{"block", block}, {"logits", logits}};
    text += fmt::format("{}: what {} updates move grows as width^{:.2f} in the last block, width^{:.2f} in logits{}\n",
                        parametrization, kSteps, block, logits,
                        parametrization == "mup" && std::max(block, logits) > kHalfWay
                            ? "; expected about 0: a learning rate found at one width will not do at another"
                            : "");
  }
  text += fmt::format("written: {0}/coord_check.csv, {0}/coord_check_block.svg, {0}/coord_check_logits.svg\n",
                      study.settings.folder);
  if (json) {
    fmt::print("{}\n", nlohmann::json({{"folder", study.settings.folder}, {"exponents", exponents}}).dump());
  } else {
    fmt::print("{}", text);
  }
}

}  // namespace

int run_coord_check(World& world, const Study& study, bool json) {
  const auto shapes = shapes_of(study);
  std::vector<Row> own;
  for (std::size_t i = 0; i < 2 * shapes.size(); ++i) {
    if (static_cast<int>(i % static_cast<std::size_t>(world.size())) != world.rank()) continue;
    own.push_back(measured(world, shapes[i / 2], i % 2 == 0 ? Parametrization::mup : Parametrization::standard));
  }
  const auto rows = gathered(world, own);
  on_rank_zero(world, [&] { tell(study, rows, json); });
  return 0;
}

}  // namespace trireme
