// SPDX-License-Identifier: Apache-2.0
#include "core/scaling/study_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <optional>

#include "core/base/config.h"
#include "core/base/error.h"

namespace trireme {
namespace {

struct Role {
  ColumnRole role;
  const char* name;
  std::vector<std::string> known;
};

const std::vector<Role>& roles() {
  static const std::vector<Role> table = {
      {ColumnRole::parameters,
       "parameters",
       {"params_total", "params_non_embedding", "params_chinchilla", "parameters", "params", "n_params", "num_params",
        "model_size", "n"}},
      {ColumnRole::tokens,
       "tokens",
       {"tokens", "train_tokens", "training_tokens", "n_tokens", "num_tokens", "tokens_seen", "d"}},
      {ColumnRole::flops,
       "flops",
       {"flops_6nd", "flops_appendix_f", "flops", "train_flops", "training_flops", "training_flop", "flop", "compute",
        "c"}},
      {ColumnRole::loss,
       "loss",
       {"validation_loss", "val_loss", "loss", "final_loss", "eval_loss", "train_loss", "training_loss"}},
      {ColumnRole::unique_tokens, "unique-tokens", {"unique_tokens", "tokens_unique"}},
      {ColumnRole::task_loss, "task-loss", {"task_loss", "bits_per_byte", "bpb", "task_bpb"}},
      {ColumnRole::accuracy, "accuracy", {"accuracy", "acc", "acc_norm"}},
      {ColumnRole::run, "run", {"trunk", "run", "run_id", "run_hash", "run_name"}},
  };
  return table;
}

const Role& of(ColumnRole role) {
  return *std::find_if(roles().begin(), roles().end(), [&](const Role& r) { return r.role == role; });
}

/// "Model Size" and "model_size" are one name.
std::string plain(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (std::isalnum(u) != 0) out += static_cast<char>(std::tolower(u));
  }
  return out;
}

std::size_t column_named(const CsvTable& table, const std::string& column, const std::string& where) {
  const auto at = std::find(table.columns.begin(), table.columns.end(), column);
  if (at == table.columns.end()) {
    const auto near = nearest(column, table.columns);
    fail_usage("{} has no column '{}'{}; there are: {}", where, column,
               near.empty() ? "" : fmt::format("; did you mean '{}'?", near), fmt::join(table.columns, ", "));
  }
  return static_cast<std::size_t>(at - table.columns.begin());
}

std::optional<std::size_t> find_column(const CsvTable& table, ColumnRole role, const ColumnChoice& choice,
                                       const std::string& where) {
  if (const auto given = choice.given.find(role); given != choice.given.end()) {
    return column_named(table, given->second, where);
  }
  for (const auto& known : known_names(role)) {
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      if (plain(table.columns[i]) == plain(known)) return i;
    }
  }
  return std::nullopt;
}

double number(const std::string& text, const std::string& column, const std::string& where, std::size_t line) {
  const auto first = text.find_first_not_of(" \t+");
  if (first == std::string::npos) return kNotGiven;
  const auto last = text.find_last_not_of(" \t") + 1;
  double value = 0;
  const auto [end, problem] = std::from_chars(text.data() + first, text.data() + last, value);
  check(problem == std::errc() && end == text.data() + last, "{}:{}: {} is '{}'; expected a number", where, line,
        column, text);
  return value;
}

std::string parameter_convention(const std::string& column) {
  const auto p = plain(column);
  if (p == "paramstotal") return "total";
  if (p == "paramsnonembedding") return "non-embedding";
  if (p == "paramschinchilla") return "Chinchilla's";
  return fmt::format("as in column '{}'", column);
}

std::string flop_count(const std::string& column) {
  const auto p = plain(column);
  if (p == "flops6nd") return "6ND";
  if (p == "flopsappendixf") return "Appendix F";
  return fmt::format("as in column '{}'", column);
}

bool wanted(const CsvTable& table, std::size_t row, const std::vector<std::pair<std::size_t, std::string>>& only) {
  return std::all_of(only.begin(), only.end(), [&](const auto& o) { return table.rows[row][o.first] == o.second; });
}

}  // namespace

std::string name(ColumnRole role) { return of(role).name; }
const std::vector<std::string>& known_names(ColumnRole role) { return of(role).known; }

StudyTable read_study(const CsvTable& table, const ColumnChoice& choice, const std::string& where) {
  StudyTable study;
  std::map<ColumnRole, std::size_t> at;
  for (const auto role : kColumnRoles) {
    if (const auto column = find_column(table, role, choice, where)) {
      at[role] = *column;
      study.columns[role] = table.columns[*column];
    }
  }
  for (const auto role : {ColumnRole::parameters, ColumnRole::loss}) {
    check_usage(at.contains(role), "{} has no column of {} (known names: {}); give one with --{}-column; there are: {}",
                where, name(role), fmt::join(known_names(role), ", "), name(role), fmt::join(table.columns, ", "));
  }
  check_usage(at.contains(ColumnRole::tokens) || at.contains(ColumnRole::flops),
              "{} has neither a column of tokens nor one of flops; give one with --tokens-column or --flops-column; "
              "there are: {}",
              where, fmt::join(table.columns, ", "));
  std::vector<std::pair<std::size_t, std::string>> only;
  for (const auto& [column, value] : choice.only) only.emplace_back(column_named(table, column, where), value);
  study.parameters = parameter_convention(study.columns[ColumnRole::parameters]);
  study.flops = at.contains(ColumnRole::flops) ? flop_count(study.columns[ColumnRole::flops]) : "6ND";
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    if (!wanted(table, row, only)) {
      ++study.left_out;
      continue;
    }
    const auto value = [&](ColumnRole role) {
      const auto column = at.find(role);
      if (column == at.end()) return kNotGiven;
      return number(table.rows[row][column->second], table.columns[column->second], where, table.lines[row]);
    };
    ScalingPoint p;
    p.parameters = value(ColumnRole::parameters);
    p.tokens = value(ColumnRole::tokens);
    p.flops = value(ColumnRole::flops);
    if (!at.contains(ColumnRole::tokens)) p.tokens = p.flops / (6 * p.parameters);
    if (!at.contains(ColumnRole::flops)) p.flops = 6 * p.parameters * p.tokens;
    p.loss = value(ColumnRole::loss);
    p.unique_tokens = value(ColumnRole::unique_tokens);
    p.task_loss = value(ColumnRole::task_loss);
    p.accuracy = value(ColumnRole::accuracy);
    if (at.contains(ColumnRole::run)) p.run = table.rows[row][at[ColumnRole::run]];
    p.line = table.lines[row];
    study.points.push_back(std::move(p));
  }
  return study;
}

}  // namespace trireme
