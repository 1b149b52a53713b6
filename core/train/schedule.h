// SPDX-License-Identifier: Apache-2.0
// The learning rate as a pure function of the step.
#pragma once

#include <cstdint>

namespace trireme {

enum class ScheduleKind { constant, linear, cosine, wsd };

/// The last part of wsd: 1 - sqrt(progress) or 1 - progress (Hägele et al. 2024).
enum class DecayShape { sqrt, linear };

/// Config `optimizer.schedule.*`.
struct ScheduleConfig {
  ScheduleKind kind = ScheduleKind::cosine;
  std::int64_t warmup_steps = 0;              // linear from 0; the first step already moves
  double final_ratio = 0.1;                   // of the peak, at the end of the decay
  double decay_fraction = 0.2;                // wsd: the part of all steps that decays
  DecayShape decay_shape = DecayShape::sqrt;  // wsd
  std::int64_t horizon = 0;                   // steps that the schedule spans; 0: train.steps
};

/// What the peak learning rate is multiplied with in update `step` of `steps`, counted from 0: (step + 1) /
/// warmup_steps in the warm-up, then 1 down to final_ratio at the horizon and final_ratio beyond it.
double schedule_factor(const ScheduleConfig& config, std::int64_t step, std::int64_t steps);

}  // namespace trireme
