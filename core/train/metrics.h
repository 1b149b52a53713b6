// SPDX-License-Identifier: Apache-2.0
// What a step tells: one JSON line for programs (metrics.jsonl).
#pragma once

#include <cstdint>
#include <fstream>
#include <map>
#include <string>

namespace trireme {

/// One update. Everything but times is the same on every rank and, after a resume, the same bits.
struct StepMetrics {
  std::int64_t step = 0;   // updates made, this one included
  double loss = 0.0;       // mean over the update's targets, in nats
  double grad_norm = 0.0;  // before clipping
  double lr = 0.0;
  std::int64_t tokens = 0;       // so far
  std::uint64_t token_hash = 0;  // of the update's samples, independent of how ranks share them
  bool stop = false;             // some rank was asked to stop (not in the line)
  bool skipped = false;          // the update was not made: masters and moments are as before
  std::int64_t skips = 0;        // of the run so far, this one included (in the line of a skipped update)
  double tokens_per_second = 0.0;
  double mfu = 0.0;  // fraction of the peak of all ranks, causal convention
  struct Seconds {
    double data = 0.0;       // this process waited for batches
    double compute = 0.0;    // forward and backward
    double reduce = 0.0;     // the reductions that backward did not hide
    double optimizer = 0.0;  // norm, clipping, update
    double total = 0.0;
  } seconds;
};

/// An exam that a run has sat.
struct ExamMetrics {
  std::string name;
  std::int64_t shots = 0, questions = 0;
  double accuracy = 0;   // 0 to 1
  double task_loss = 0;  // nats that the right answers lack among the choices
};

/// The one line of JSON, without its newline. Doubles have as many digits as it takes to read the same bits back.
std::string to_json_line(const StepMetrics& metrics);

/// Appends lines to a file; each is flushed, so that a killed run loses none that it reported.
class MetricsLog {
 public:
  /// Opens `path` for a run that has made `step` updates. Lines beyond that step, and a torn last line, are of a past
  /// that the run did not resume from: they are removed, in one atomic step. Throws Error naming file and line for a
  /// line that is not ours.
  MetricsLog(const std::string& path, std::int64_t step);

  void write(const StepMetrics& metrics);
  /// {"step": ..., "validation_loss": ..., "samples": ...}, and "sets", the loss of each by its name, where there are
  /// any.
  void write_validation(std::int64_t step, double loss, std::int64_t samples,
                        const std::map<std::string, double>& sets = {});
  /// {"step": ..., "exam": ..., "shots": ..., "questions": ..., "accuracy": ..., "task_loss": ...}
  void write_exam(std::int64_t step, const ExamMetrics& exam);

 private:
  void write_line(const std::string& line);

  std::string path_;
  std::ofstream file_;
};

}  // namespace trireme
