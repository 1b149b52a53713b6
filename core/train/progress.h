// SPDX-License-Identifier: Apache-2.0
// What a step tells people: a line that is rewritten on a terminal, a line every so often elsewhere.
#pragma once

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

#include "core/train/metrics.h"

namespace trireme {

/// "step 120/1000  loss 3.214  norm 0.81  lr 5.9e-04  12.3k tokens/s  MFU 41.2 %  ETA 3m 20s"; without an ETA while
/// seconds_per_step is 0.
std::string progress_line(const StepMetrics& metrics, std::int64_t steps, double seconds_per_step);

class Progress {
 public:
  /// `out` is borrowed; null: only the log is written. `every`: steps between lines when it is not a terminal, and in
  /// the log: the file `log`, if named, to which everything said is also appended, with the time (UTC).
  Progress(std::FILE* out, std::int64_t steps, std::int64_t every, const std::string& log = "");

  void update(const StepMetrics& metrics);
  /// A message of its own line, without tearing the progress line.
  void note(const std::string& message);

 private:
  void append_to_log(const std::string& line);

  std::FILE* out_;
  std::ofstream log_;
  std::int64_t steps_;
  std::int64_t every_;
  bool terminal_;
  bool open_ = false;              // a line without its newline stands on the terminal
  double seconds_per_step_ = 0.0;  // moving average
};

}  // namespace trireme
