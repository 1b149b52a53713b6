// SPDX-License-Identifier: Apache-2.0
// One training run on the ranks of a world, from its first step here to its last: of `trireme train`, or of a study.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/train/checkpoint.h"
#include "core/train/metrics.h"
#include "core/train/progress.h"
#include "core/train/trainer.h"
#include "launch/run.h"
#include "launch/time_limit.h"

namespace trireme {

/// A run that leaves this one after `step` steps of its own, which are the same as this one's up to there.
struct BranchPoint {
  std::int64_t step = 0;
  RunConfig config;  // of the run that leaves
};

/// How a run is started, beside its settings.
struct TrainingStart {
  ResumePolicy resume;
  std::int64_t stop_at = 0;  // save and leave after this step; 0: none
  /// Progress and messages for people; null: they go to RUN/log.txt alone.
  std::FILE* out = stderr;
  /// Asked on every rank between steps, with the seconds that a checkpoint takes: whether this rank is to save and
  /// leave, beside what signals and time limits say.
  std::function<bool(double save_seconds)> leave = {};
  /// Called on rank 0 with every step that is told.
  std::function<void(const StepMetrics&)> told = {};
  /// Where others leave: each finds a checkpoint of that step in its own run folder, unless it has one already.
  std::vector<BranchPoint> branches = {};
  /// A failure that all ranks meet together (the run diverged, a last checkpoint could not be saved) is what run()
  /// returns, in good order, instead of an exception: others go on with the same devices.
  bool keep_failures = false;
};

class TrainingRun {
 public:
  /// `config` is valid for this world, whose rank 0 holds the run folder. All ranks make it and run it.
  TrainingRun(World& world, const RunConfig& config, TrainingStart start, std::shared_ptr<Device> device);
  ~TrainingRun();
  TrainingRun(const TrainingRun&) = delete;
  TrainingRun& operator=(const TrainingRun&) = delete;

  /// done, or requeue: it stopped on request after a checkpoint. With keep_failures also failed, and why is failure().
  ExitCode run();
  const std::string& failure() const { return failure_; }
  /// That failure was the run's own: with the same settings it would come again at the same step.
  bool diverged() const { return diverged_; }
  /// For programs: what the run came to.
  nlohmann::json summary() const;

 private:
  ExitCode train();
  std::string last_line() const;
  void note(const std::string& message);
  std::string cuda_note() const;
  void begin();
  void resume();
  void save(bool leaving);
  void leave_branch(const BranchPoint& branch);
  bool has_branch(const BranchPoint& branch);
  void draw() const;
  void tell(const std::optional<StepMetrics>& metrics);
  void tell_skipped(const StepMetrics& metrics);
  std::string why_stopped(std::int64_t step) const;
  bool asked_to_stop() const;
  void validate_now();
  std::int64_t samples_of(const BatchSource& set) const;
  std::optional<double> validated(BatchSource& set);
  void validate_if_left_out();
  /// The run's exam is not in its metrics yet.
  bool exam_is_left();
  void sit_exam();

  World& world_;
  const RunConfig config_;
  const TrainingStart start_;
  std::unique_ptr<Watchdog> watchdog_;  // outlives whatever may hang
  Engine engine_;
  std::unique_ptr<BatchSource> samples_;
  std::unique_ptr<BatchSource> held_out_;
  std::vector<std::pair<std::string, std::unique_ptr<BatchSource>>> sets_;  // further ones, by name
  Trainer trainer_;
  Progress progress_;
  Checkpoints checkpoints_;
  std::optional<MetricsLog> metrics_;
  std::optional<double> validation_loss_;
  const TimeLimit limit_;
  std::string failure_;
  bool diverged_ = false;     // its budget of skipped updates is spent
  double save_seconds_ = 0;   // the last checkpoint took
  bool stop_ = false;         // all ranks know that some rank was asked to
  bool skipping_ = false;     // the last update that was told was skipped
  bool owed_ = false;         // a checkpoint fell due on a skipped step
  bool unvalidated_ = false;  // a validation was broken off
};

}  // namespace trireme
