// SPDX-License-Identifier: Apache-2.0
// The training step: batches in, updated parameters out, and what happened, told one step late so that nothing waits.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "core/base/batch.h"
#include "core/base/group.h"
#include "core/model/model.h"
#include "core/train/metrics.h"
#include "core/train/optimizer.h"
#include "core/train/train_state.h"
#include "core/train/trainer_config.h"

namespace trireme {

class Trainer {
 public:
  /// What a trainer is made of; all borrowed, all outliving it.
  struct Parts {
    const Architecture& architecture;
    const TrainerConfig& config;
    const OptimizerConfig& optimizer;
    Device& device;
    const Ops& ops;
    Stream& stream;
    ParamStore& store;  // of the parameters that a Model of this architecture declares
    Group& data;        // ranks that read different samples
    Group& tensor;      // ranks that share samples and split matrices
    BatchSource& source;
  };
  /// Plans and allocates everything that steps need, and asks the device for its peak; all ranks call. Throws
  /// Error(usage) when the batch does not divide.
  explicit Trainer(const Parts& parts);
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// Enqueues one update and returns what the one before told (nothing after the first). `stop`: this rank was asked to
  /// stop; that some rank was is known to all from what the update tells, in the sums that it makes anyway.
  std::optional<StepMetrics> step(bool stop = false);
  /// Waits for the last update and returns what it told, if that was not told yet. Before an evaluation or a
  /// checkpoint.
  std::optional<StepMetrics> flush();
  /// Mean loss over samples [0, samples) of another source: the same bits for any number of data ranks, as batches are
  /// cut the same way and summed sample by sample. All ranks call; returns when done. `stop` is asked before each
  /// batch; when it holds on some rank, all leave, without a result.
  std::optional<double> evaluate(BatchSource& source, std::int64_t samples, const std::function<bool()>& stop = {});

  /// How far the run is; skipped updates and means are those of the last update that was told.
  const TrainState& state() const { return state_; }
  /// Goes on from a checkpoint whose masters and moments are in the store; clears what was not told.
  void resume(const TrainState& state);
  /// Memory by name, for `trireme plan` and the log.
  const Plan& plan() const { return plan_; }

 private:
  using Time = std::chrono::steady_clock::time_point;
  enum Mark { begin, computed, reduced, updated, kMarks };

  // An update in flight: what the host adds to it, and what comes back. Two take turns.
  struct Record {
    Buffer in, out;  // pinned
    std::unique_ptr<Event> done;
    std::array<Time, kMarks> marks;  // written by the stream
    StepMetrics known;
    bool pending = false;
  };

  void plan_memory();
  void measure_peak();
  const Batch& read(std::int64_t position);
  void micro_step(Record& record, std::int64_t index, std::int64_t count, std::int64_t& targets);
  void share_totals(Record& record, std::int64_t targets, bool stop);
  /// Whether some rank says so. Between updates.
  bool any_rank(bool stop);
  /// Adds the batch of samples from `first` on to the sums and counts of its samples.
  void score(BatchSource& source, std::int64_t first, std::vector<double>& sums, std::vector<double>& counts);
  void mark(Record& record, Mark which);
  Pass pass();
  std::optional<StepMetrics> tell(Record& record);

  const Parts parts_;
  const TrainerConfig config_;
  Model model_;
  Optimizer optimizer_;
  Plan plan_;
  TrainState state_;
  Slot totals_, words_;  // [2] f32: sum of losses, targets; [5] i32: 16 bits each of the token hash, requests to stop
  std::unique_ptr<Event> uploaded_;  // the last batch has been read by the device
  std::array<Record, 2> records_;
  Buffer host_losses_;       // pinned, [B*T] f32, for evaluation
  double peak_flops_ = 0.0;  // of all ranks together
};

}  // namespace trireme
