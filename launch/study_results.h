// SPDX-License-Identifier: Apache-2.0
// A study's runs and branches as one list, and what they came to as one table, results.csv.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "launch/run_result.h"
#include "launch/study.h"
#include "launch/training_run.h"

namespace trireme {

/// A run, or a branch of one, which is a run that starts from another one's checkpoint.
struct StudyItem {
  std::string name, hash;
  RunConfig config;
  const StudyRun* run = nullptr;  // itself or its trunk, in the Study
  std::int64_t ranks = 1;
  double seconds = 0;  // planned
  std::string budget;
  double budget_flops = 0, tokens = 0, flops_6nd = 0, flops_appendix_f = 0;
  std::optional<std::size_t> trunk = {};   // of a branch: the item that it leaves
  std::vector<BranchPoint> branches = {};  // that leave it
};

/// The runs of the study, longest first, then the branches, longest first. The study outlives them.
std::vector<StudyItem> items_of(const Study& study);

/// The table's columns, of every study in this order (docs/scaling.md), then a column for each axis of its grid, then
/// those that were added later.
std::vector<std::string> result_columns(const Study& study);
/// As text; empty where there is no number.
using ResultRow = std::vector<std::string>;
/// Of every item that has a result, ordered by name.
std::vector<ResultRow> result_rows(const Study& study, const std::vector<StudyItem>& items,
                                   const std::vector<std::optional<RunResult>>& results);

/// results.csv in the study's folder, replaced in one step.
void write_results_csv(const Study& study, const std::vector<ResultRow>& rows);
/// A results.csv in `folder` that has runs which are none of `items` (the study's settings have changed since, or the
/// program's) keeps its rows under another name, which is returned: results.1.csv, or the first number that is free.
/// Empty where there is no such table.
std::string keep_other_results(const std::string& folder, const std::vector<StudyItem>& items);

}  // namespace trireme
