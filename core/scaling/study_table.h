// SPDX-License-Identifier: Apache-2.0
// Which column of a table means what: given by the user, or known by its name. Conventions for counting parameters and
// FLOPs are part of the answer, for laws by different ones do not compare.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/scaling/csv.h"
#include "core/scaling/point.h"

namespace trireme {

/// What a column can mean; kNames below are the words for it on the command line and in messages.
enum class ColumnRole { parameters, tokens, flops, loss, unique_tokens, task_loss, accuracy, run };
inline constexpr ColumnRole kColumnRoles[] = {
    ColumnRole::parameters,    ColumnRole::tokens,    ColumnRole::flops,    ColumnRole::loss,
    ColumnRole::unique_tokens, ColumnRole::task_loss, ColumnRole::accuracy, ColumnRole::run};
/// "parameters", "unique-tokens", ...
std::string name(ColumnRole role);
/// The column names by which a role is known, the first that a table has being taken; case and what is no letter or
/// digit do not matter.
const std::vector<std::string>& known_names(ColumnRole role);

/// How a table is to be read.
struct ColumnChoice {
  std::map<ColumnRole, std::string> given;                // role: column
  std::vector<std::pair<std::string, std::string>> only;  // column, value: rows with another value are left out
};

/// Rows as points, and how they were read.
struct StudyTable {
  std::vector<ScalingPoint> points;
  std::map<ColumnRole, std::string> columns;  // role: column it was read from
  std::string parameters;    // how N was counted: "total", "non-embedding", "Chinchilla's", or what the column says
  std::string flops;         // how C was counted: "6ND", "Appendix F", or what the column says
  std::size_t left_out = 0;  // rows that `only` removed
};

/// Reads the points. Tokens that no column gives are C/(6N), and FLOPs are 6ND. Throws Error(usage) when N, the loss or
/// both D and C have no column, naming those that there are; Error naming the line for what is no number.
StudyTable read_study(const CsvTable& table, const ColumnChoice& choice, const std::string& where);

}  // namespace trireme
