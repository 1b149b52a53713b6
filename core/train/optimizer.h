// SPDX-License-Identifier: Apache-2.0
// AdamW with clipping by global norm, on whatever flat ranges of parameters this rank holds.
#pragma once

#include <cstdint>

#include "core/base/ops.h"
#include "core/base/params.h"
#include "core/base/plan.h"
#include "core/train/schedule.h"
#include "core/train/train_state.h"
#include "core/train/trainer_config.h"

namespace trireme {

/// Config `optimizer.*`. Weight decay applies to the parameters that the model marks: matrices and embeddings; what a
/// step takes off them is lr * weight_decay, also of those that learn at a part of lr.
struct OptimizerConfig {
  double lr = 6e-4;  // peak
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  double weight_decay = 0.1;
  double clip = 1.0;  // global norm; 0: no clipping
  ScheduleConfig schedule;
};

/// One update of every parameter from the gradients that the store has reduced.
class Optimizer {
 public:
  /// An update of `steps`; what it must not be, `skip` says.
  Optimizer(const OptimizerConfig& config, std::int64_t steps, const SkipConfig& skip)
      : config_(config), steps_(steps), skip_(skip) {}

  /// Declares its scalars.
  void plan(Plan& plan);
  /// The learning rate of update `step`, counted from 0.
  double learning_rate(std::int64_t step) const;

  struct Update {
    Device& device;
    const Ops& ops;
    Stream& stream;
    const Plan& plan;
    ParamStore& store;
    Tensor loss_sum;                // [1] f32, over all ranks
    Tensor target_count;            // [1] f32, over all ranks
    float expected_targets = 1.0F;  // the count that the gradients were divided by
    std::int64_t step = 0;          // from 0
  };
  /// Afterwards, in stream order, the store's next acquire() gives the updated parameters.
  void update(const Update& u) const;
  /// What the device knows of the last update once it is made; copied from verdict().
  struct Verdict {
    float norm = 0.0F;  // of the gradient, before clipping
    float loss_mean = 0.0F, norm_mean = 0.0F, updates = 0.0F;
    float skipped = 0.0F;  // 1: masters, moments and copies are as before

    RunningMeans means() const { return {loss_mean, norm_mean, static_cast<std::int64_t>(updates)}; }
  };
  /// [5] f32: a Verdict.
  Tensor verdict(const Plan& plan) const { return plan[verdict_]; }
  /// The means that the next update is judged by; waits for the stream.
  void set_means(Device& device, Stream& stream, const Plan& plan, const RunningMeans& means) const;

 private:
  OptimizerConfig config_;
  std::int64_t steps_;
  SkipConfig skip_;
  Slot norm_squared_, scale_, verdict_;
};

}  // namespace trireme
