// SPDX-License-Identifier: Apache-2.0
#include "launch/study_results.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <set>

#include "core/base/error.h"
#include "core/base/field_list.h"
#include "core/io/atomic_file.h"
#include "core/scaling/csv.h"
#include "launch/validation_sets.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

/// What a row is made from.
struct Ended {
  const StudyItem& item;
  const std::vector<StudyItem>& items;
  const RunResult& result;
};

struct Column {
  std::string name;
  std::function<std::string(const Ended&)> value;
};

std::string text(double value) { return csv_value(value); }
std::string text(std::int64_t value) { return std::to_string(value); }

template <class Get>
Column number(const char* name, Get get) {
  return {name, [get](const Ended& s) { return text(get(s)); }};
}
template <class Get>
Column words(const char* name, Get get) {
  return {name, [get](const Ended& s) { return std::string(get(s)); }};
}

std::vector<Column> what_was_run() {
  const auto architecture = [](auto member) {
    return [member](const Ended& s) { return s.item.config.model.architecture.*member; };
  };
  return {words("run", [](const Ended& s) { return s.item.name; }),
          words("hash", [](const Ended& s) { return s.item.hash; }),
          words("status", [](const Ended& s) { return status_of(s.result); }),
          words("held_out", [](const Ended& s) { return s.item.run->held_out ? "yes" : "no"; }),
          number("shape", [](const Ended& s) { return static_cast<std::int64_t>(s.item.run->shape); }),
          number("layers", architecture(&Architecture::layers)),
          number("width", architecture(&Architecture::width)),
          number("heads", architecture(&Architecture::heads)),
          number("feed_forward", architecture(&Architecture::feed_forward)),
          number("vocabulary", architecture(&Architecture::vocabulary)),
          words("budget", [](const Ended& s) { return s.item.budget; }),
          number("budget_flops", [](const Ended& s) { return s.item.budget_flops; }),
          words("branch_of", [](const Ended& s) { return s.item.trunk ? s.items[*s.item.trunk].name : std::string(); }),
          number("params_total", [](const Ended& s) { return s.item.run->parameters_total; }),
          number("params_non_embedding", [](const Ended& s) { return s.item.run->parameters_non_embedding; }),
          number("params_chinchilla", [](const Ended& s) { return s.item.run->parameters_chinchilla; }),
          number("tokens", [](const Ended& s) { return s.item.tokens; }),
          number("unique_tokens", [](const Ended& s) { return s.result.unique_tokens; }),
          number("flops_6nd", [](const Ended& s) { return s.item.flops_6nd; }),
          number("flops_appendix_f", [](const Ended& s) { return s.item.flops_appendix_f; })};
}

std::vector<Column> how_it_went() {
  const auto training = [](auto member) {
    return [member](const Ended& s) { return static_cast<std::int64_t>(s.item.config.train.*member); };
  };
  return {number("steps", training(&TrainerConfig::steps)),
          number("sequence", training(&TrainerConfig::sequence)),
          number("global_batch", training(&TrainerConfig::global_batch)),
          number("learning_rate", [](const Ended& s) { return s.item.config.optimizer.lr; }),
          number("seed", training(&TrainerConfig::seed)),
          number("train_loss", [](const Ended& s) { return s.result.train_loss; }),
          number("validation_loss", [](const Ended& s) { return s.result.validation_loss; }),
          number("steps_made", [](const Ended& s) { return s.result.steps; }),
          number("skipped", [](const Ended& s) { return s.result.skipped; }),
          number("failed_attempts", [](const Ended& s) { return s.result.attempts; }),
          words("reason", [](const Ended& s) { return s.result.reason; }),
          number("ranks", [](const Ended& s) { return s.result.ranks; }),
          number("seconds", [](const Ended& s) { return s.result.seconds; }),
          number("tokens_per_second", [](const Ended& s) { return s.result.tokens_per_second; }),
          words("version", [](const Ended& s) { return s.result.version; })};
}

const std::vector<Column>& fixed_columns() {
  static const auto all = [] {
    auto columns = what_was_run();
    for (auto& column : how_it_went()) columns.push_back(std::move(column));
    return columns;
  }();
  return all;
}

/// The names of all validation sets of the study, in order.
std::vector<std::string> set_names(const Study& study) {
  std::set<std::string> names;
  for (const StudyRun& run : study.runs) {
    for (const auto& set : validation_sets(run.config)) names.insert(set.name);
  }
  return {names.begin(), names.end()};
}

/// Behind the columns of the grid, so that a column keeps its number.
std::vector<Column> last_columns(const Study& study) {
  std::vector<Column> all = {
      // Rows that share steps are one witness: the bootstrap draws them together.
      words("trunk", [](const Ended& s) { return s.item.trunk ? s.items[*s.item.trunk].name : s.item.name; }),
      number("accuracy", [](const Ended& s) { return s.result.accuracy; }),
      number("task_loss", [](const Ended& s) { return s.result.task_loss; })};
  for (const auto& name : set_names(study)) {
    all.push_back({"validation_loss_" + name, [name](const Ended& s) {
                     const auto hit = s.result.validation_sets.find(name);
                     return hit == s.result.validation_sets.end() ? "" : text(hit->second);
                   }});
  }
  return all;
}

std::string setting(const RunConfig& config, const std::string& name) {
  auto copy = config;
  for (const auto& entry : list_fields([&](FieldVisitor& v) { fields(v, copy); })) {
    if (entry.name == name) return entry.value;
  }
  return "";
}

std::string csv_line(const ResultRow& values) {
  std::string line;
  for (std::size_t i = 0; i < values.size(); ++i) line += (i == 0 ? "" : ",") + csv_value(values[i]);
  return line + "\n";
}

StudyItem item_of(const StudyRun& run) {
  return {.name = run.name,
          .hash = run.hash,
          .config = run.config,
          .run = &run,
          .ranks = run.ranks,
          .seconds = run.seconds,
          .budget = run.budget,
          .budget_flops = run.budget_flops,
          .tokens = run.tokens,
          .flops_6nd = run.flops_6nd,
          .flops_appendix_f = run.flops_appendix_f};
}

}  // namespace

std::vector<StudyItem> items_of(const Study& study) {
  std::vector<StudyItem> items;
  std::vector<StudyItem> branches;
  for (const StudyRun& run : study.runs) {
    items.push_back(item_of(run));
    for (const StudyBranch& branch : run.branches) {
      items.back().branches.push_back({branch.from_step, branch.config});
      auto item = item_of(run);
      item.name = branch.name;
      item.hash = branch.hash;
      item.config = branch.config;
      item.seconds = branch.seconds;
      item.budget = branch.budget;
      item.budget_flops = branch.budget_flops;
      item.tokens = branch.tokens;
      item.flops_6nd = branch.flops_6nd;
      item.flops_appendix_f = branch.flops_appendix_f;
      item.trunk = items.size() - 1;
      branches.push_back(std::move(item));
    }
  }
  std::stable_sort(branches.begin(), branches.end(),
                   [](const StudyItem& a, const StudyItem& b) { return a.seconds > b.seconds; });
  for (auto& branch : branches) items.push_back(std::move(branch));
  return items;
}

std::vector<std::string> result_columns(const Study& study) {
  std::vector<std::string> names;
  for (const Column& column : fixed_columns()) names.emplace_back(column.name);
  for (const StudyAxis& axis : study.settings.grid) names.push_back(axis.set);
  for (const Column& column : last_columns(study)) names.emplace_back(column.name);
  return names;
}

std::vector<ResultRow> result_rows(const Study& study, const std::vector<StudyItem>& items,
                                   const std::vector<std::optional<RunResult>>& results) {
  std::vector<ResultRow> rows;
  const auto last = last_columns(study);
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!results[i]) continue;
    const Ended subject{items[i], items, *results[i]};
    ResultRow row;
    for (const Column& column : fixed_columns()) row.push_back(column.value(subject));
    for (const StudyAxis& axis : study.settings.grid) row.push_back(setting(items[i].config, axis.set));
    for (const Column& column : last) row.push_back(column.value(subject));
    rows.push_back(std::move(row));
  }
  std::sort(rows.begin(), rows.end());  // the name is the first column, and one run's only
  return rows;
}

void write_results_csv(const Study& study, const std::vector<ResultRow>& rows) {
  auto table = csv_line(result_columns(study));
  for (const ResultRow& row : rows) table += csv_line(row);
  write_file_atomic((fs::path(study.settings.folder) / "results.csv").string(), table);
}

std::string keep_other_results(const std::string& folder, const std::vector<StudyItem>& items) {
  const auto table = fs::path(folder) / "results.csv";
  if (!fs::exists(table)) return {};
  std::set<std::string> hashes;
  for (const StudyItem& item : items) hashes.insert(item.hash);
  const auto is_other = [&] {
    try {
      const auto [columns, rows, lines] = read_table(table.string());
      const auto hash = std::find(columns.begin(), columns.end(), "hash") - columns.begin();
      return std::any_of(rows.begin(), rows.end(), [&](const auto& row) {
        return static_cast<std::size_t>(hash) >= row.size() || hashes.count(row[static_cast<std::size_t>(hash)]) == 0;
      });
    } catch (const Error&) {
      return true;  // whatever it is, it is not this study's
    }
  };
  if (!is_other()) return {};
  for (int number = 1;; ++number) {
    const auto kept = fs::path(folder) / fmt::format("results.{}.csv", number);
    if (fs::exists(kept)) continue;
    fs::rename(table, kept);
    return kept.filename().string();
  }
}

}  // namespace trireme
