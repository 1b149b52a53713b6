// SPDX-License-Identifier: Apache-2.0
// AdamW with clipping by global norm, on whatever flat ranges of parameters this rank holds.
#pragma once

#include <cstdint>

#include "core/base/ops.h"
#include "core/base/params.h"
#include "core/base/plan.h"
#include "core/train/schedule.h"

namespace trireme {

/// Config `optimizer.*`. Weight decay applies to the parameters that the model marks: matrices and embeddings.
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
  Optimizer(const OptimizerConfig& config, std::int64_t steps) : config_(config), steps_(steps) {}

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
    Tensor target_count;            // [1] f32, over all ranks
    float expected_targets = 1.0F;  // the count that the gradients were divided by
    std::int64_t step = 0;          // from 0
  };
  /// Afterwards, in stream order, the store's next acquire() gives the updated parameters.
  void update(const Update& u) const;
  /// [1] f32: the gradient's norm before clipping, in the last update.
  Tensor gradient_norm(const Plan& plan) const { return plan[norm_]; }

 private:
  OptimizerConfig config_;
  std::int64_t steps_;
  Slot norm_squared_, norm_, scale_;
};

}  // namespace trireme
