// SPDX-License-Identifier: Apache-2.0
#include "launch/study_simulation.h"

#include <cmath>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "core/scaling/parametric_fit.h"

namespace trireme {
namespace {

constexpr int kTables = 3;
constexpr int kResamples = 200;

}  // namespace

std::optional<ExpectedInterval> expected_interval(std::span<const DesignPoint> points, double noise, double level) {
  const ChinchillaLaw law = hoffmann_law();
  const Random random(1, "study simulation");
  double width = 0;
  for (int table = 0; table < kTables; ++table) {
    std::vector<ScalingPoint> made_up;
    for (std::size_t i = 0; i < points.size(); ++i) {
      const DesignPoint& p = points[i];
      if (p.held_out) continue;
      const double scatter = random.normal(static_cast<std::uint64_t>(table) * points.size() + i);
      made_up.push_back({.parameters = p.chinchilla,
                         .tokens = p.tokens,
                         .flops = 6 * p.chinchilla * p.tokens,
                         .loss = law.loss(p.chinchilla, p.tokens) * std::exp(noise * scatter),
                         .run = std::to_string(i)});
    }
    try {
      check_parametric(made_up);
    } catch (const Error&) {
      return std::nullopt;  // the design's other warnings say why
    }
    const auto fit = fit_parametric(made_up, {.resamples = kResamples, .level = level});
    const auto interval = percentile_interval(over_resamples(fit, [](const ChinchillaLaw& l) { return l.a(); }), level);
    width += (interval.high - interval.low) / kTables;
  }
  return ExpectedInterval{.truth = law.a(), .width = width, .noise = noise, .level = level};
}

}  // namespace trireme
