// SPDX-License-Identifier: Apache-2.0
// What one run of a study came to: the file result.json in its folder, by which it is known to be over.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "launch/run_config.h"

namespace trireme {

struct RunResult {
  std::string hash;  // of the run's resolved configuration
  bool done = false;
  bool diverged = false;        // not done: it went beyond its budget of skipped updates, and would again
  std::string reason;           // why not done
  std::string skip_rules = {};  // of a run that diverged: what it was allowed to skip
  std::int64_t attempts = 0;    // that failed
  std::int64_t ranks = 0;       // that it ran on
  std::string version;          // of this program
  // Of a run that is done, or of what there is of one that failed; not a number where there is nothing.
  std::int64_t steps = 0;
  std::int64_t skipped = 0;
  double unique_tokens = 0;  // of the training split
  double train_loss = std::numeric_limits<double>::quiet_NaN();
  double validation_loss = std::numeric_limits<double>::quiet_NaN();
  std::map<std::string, double> validation_sets = {};          // loss of each, by its name
  double accuracy = std::numeric_limits<double>::quiet_NaN();  // of the exam
  double task_loss = std::numeric_limits<double>::quiet_NaN();
  double seconds = 0;  // of all its steps, those that were lost not counted
  double tokens_per_second = 0;
};

/// Fills in what metrics.jsonl of the run's folder tells, if there is one.
void measure(const RunConfig& config, RunResult& result);

/// "done", "diverged" or "failed".
std::string_view status_of(const RunResult& result);

/// What the run may skip before it counts as diverged: settings that its hash leaves out.
std::string skip_rules(const RunConfig& config);

/// As JSON, and back; throws Error naming `where` for anything else.
std::string to_text(const RunResult& result);
RunResult parse_result(const std::string& text, const std::string& where);
/// Atomically, in the run's folder, which is made when missing.
void write_result(const RunConfig& config, const RunResult& result);
/// What the run's folder says; nothing without a result, or with that of another hash.
std::optional<RunResult> read_result(const RunConfig& config, const std::string& hash);

}  // namespace trireme
