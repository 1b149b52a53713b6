// SPDX-License-Identifier: Apache-2.0
#include "launch/results_h5.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>

#include "core/io/checksum.h"
#include "core/scaling/point.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

// Types do not depend on what stands in a column, for then they would change from study to study.
constexpr std::array<std::string_view, 14> kWhole = {
    "shape",    "layers",       "width", "heads",      "feed_forward", "vocabulary",      "steps",
    "sequence", "global_batch", "seed",  "steps_made", "skipped",      "failed_attempts", "ranks"};
constexpr std::array<std::string_view, 9> kWords = {"run",       "hash",   "status",  "held_out", "budget",
                                                    "branch_of", "reason", "version", "trunk"};

bool among(std::span<const std::string_view> names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

std::vector<std::string> words_of(const CsvTable& table, std::size_t column) {
  std::vector<std::string> values;
  for (const auto& row : table.rows) values.push_back(row[column]);
  return values;
}

/// All of a column as numbers; `none` is what stands for nothing. Nothing where something else is no number.
template <class Number>
std::optional<std::vector<Number>> numbers_of(const CsvTable& table, std::size_t column, std::optional<Number> none) {
  std::vector<Number> values;
  for (const auto& row : table.rows) {
    const auto& text = row[column];
    Number value{};
    const auto [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool number = problem == std::errc() && stop == text.data() + text.size() && !text.empty();
    if (!number && !(text.empty() && none)) return std::nullopt;
    values.push_back(number ? value : *none);
  }
  return values;
}

Hdf5Column column_of(const CsvTable& table, std::size_t column) {
  const auto& name = table.columns[column];
  if (among(kWhole, name)) {
    if (auto values = numbers_of<std::int64_t>(table, column, std::nullopt)) return {name, std::move(*values)};
  }
  if (!among(kWords, name)) {
    if (auto values = numbers_of<double>(table, column, kNotGiven)) return {name, std::move(*values)};
  }
  return {name, words_of(table, column)};
}

}  // namespace

Hdf5Table typed_table(const CsvTable& table) {
  Hdf5Table typed;
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    typed.columns.push_back(column_of(table, column));
  }
  return typed;
}

void write_results_h5(const Study& study, const std::string& configuration) {
  const auto& settings = study.settings;
  const auto csv = fs::path(settings.folder) / "results.csv";
  if (!fs::exists(csv)) return;
  auto table = typed_table(read_table(csv.string()));
  table.attributes = {{"format", std::string("trireme.results")},
                      {"format_version", 1},
                      {"study", settings.name},
                      {"program_version", std::string(TRIREME_VERSION)},
                      {"configuration_hash", hex(xxh3_128(configuration))},
                      {"parameters", std::string(kParameterCounts[static_cast<std::size_t>(settings.parameters)])},
                      {"flops", std::string(kFlopCounts[static_cast<std::size_t>(settings.flops)])},
                      {"loss_unit", std::string("nats per token")},
                      {"time_unit", std::string("seconds")}};
  write_hdf5_table((fs::path(settings.folder) / "results.h5").string(), table);
}

}  // namespace trireme
