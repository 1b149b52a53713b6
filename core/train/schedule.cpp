// SPDX-License-Identifier: Apache-2.0
#include "core/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace trireme {
namespace {

// 1 before `begin`, 0 from `end` on, a straight line between.
double left(double step, double begin, double end) {
  if (step < begin) return 1.0;
  if (step >= end) return 0.0;
  return (end - step) / (end - begin);
}

// The shape of the decay, from 1 to 0.
double shape(const ScheduleConfig& config, double step, double end) {
  const auto warmup = static_cast<double>(config.warmup_steps);
  switch (config.kind) {
    case ScheduleKind::constant:
      return 1.0;
    case ScheduleKind::linear:
      return left(step, warmup, end);
    case ScheduleKind::cosine:
      return 0.5 * (1.0 - std::cos(std::numbers::pi * left(step, warmup, end)));
    case ScheduleKind::wsd: {
      const double rest = left(step, std::max(warmup, end - config.decay_fraction * end), end);
      return config.decay_shape == DecayShape::linear ? rest : 1.0 - std::sqrt(1.0 - rest);
    }
  }
  return 1.0;
}

}  // namespace

double schedule_factor(const ScheduleConfig& config, std::int64_t step, std::int64_t steps) {
  if (step < config.warmup_steps) return static_cast<double>(step + 1) / static_cast<double>(config.warmup_steps);
  const auto end = static_cast<double>(config.horizon > 0 ? config.horizon : steps);
  return config.final_ratio + (1.0 - config.final_ratio) * shape(config, static_cast<double>(step), end);
}

}  // namespace trireme
