// SPDX-License-Identifier: Apache-2.0
#include "launch/study_design.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "core/scaling/laws.h"
#include "core/scaling/point.h"
#include "launch/study_names.h"
#include "launch/study_simulation.h"

namespace trireme {
namespace {

constexpr double kLongestSchedule = 1.25;  // of the run: Hoffmann et al. 2022, Figure A1
constexpr double kMostEpochs = 4;          // Muennighoff et al. 2023: until then as good as fresh tokens
constexpr double kWidestInterval = 0.1;    // of an exponent: published ones lie between 0.45 and 0.55
constexpr double kLossNoise = 0.005;       // relative: of small runs with other seeds
constexpr double kMostWarmup = 0.25;       // of the run
constexpr std::size_t kFewestSizes = 3;    // for a parabola, and for an exponent with an offset
constexpr std::size_t kFewestPoints = 6;   // one more than Hoffmann's law has constants

/// A law that others have fitted.
struct Prior {
  std::string_view name;
  ChinchillaLaw law;
};

std::vector<Prior> priors() {
  return {{"Hoffmann et al.", hoffmann_law()},
          {"Besiroglu et al.", {.E = 1.8172, .A = 482.01, .B = 2085.43, .alpha = 0.3478, .beta = 0.3658}}};
}

std::string at_most_three(const std::vector<std::string>& names) {
  const auto shown = std::min<std::size_t>(names.size(), 3);
  auto text = fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  if (shown < names.size()) text += fmt::format(" and {} more", names.size() - shown);
  return text;
}

void judge_numbers(const std::vector<DesignPoint>& points, std::vector<std::string>& warnings) {
  std::vector<double> sizes;
  std::vector<double> tokens;
  for (const DesignPoint& p : points) {
    if (p.held_out) continue;
    sizes.push_back(p.parameters);
    tokens.push_back(p.tokens);
  }
  const auto few = [&](std::size_t there, std::size_t needed, std::string_view what, std::string_view more) {
    if (there >= needed) return;
    warnings.push_back(fmt::format("too few points: {} {}, and a law of N and D needs at least {}; add {}", there, what,
                                   needed, more));
  };
  few(sizes.size(), kFewestPoints, "losses to fit", "budgets or models");
  few(distinct(sizes).size(), kFewestSizes, "sizes", "models");
  few(distinct(tokens).size(), kFewestSizes, "token counts", "budgets");
}

/// By published laws, is the best size of each IsoFLOP budget between its sizes?
void judge_profiles(const std::vector<DesignPoint>& points, std::vector<std::string>& warnings) {
  std::map<double, std::vector<double>> profiles;
  for (const DesignPoint& p : points) {
    if (p.budget_flops > 0 && !p.held_out) profiles[p.budget_flops].push_back(p.chinchilla);
  }
  for (const auto& [flops, all] : profiles) {
    const auto sizes = distinct(all);
    if (sizes.size() < kFewestSizes) {
      warnings.push_back(fmt::format("IsoFLOP profile of {:g}: {} sizes, and a parabola needs at least {}", flops,
                                     sizes.size(), kFewestSizes));
    }
    std::vector<std::string> outside;
    bool below = false;
    for (const Prior& prior : priors()) {
      const double best = prior.law.optimum(flops).parameters;
      if (best > sizes.front() && best < sizes.back()) continue;
      outside.push_back(fmt::format("{} at {}", prior.name, short_number(best)));
      below = best <= sizes.front();
    }
    if (outside.empty()) continue;
    warnings.push_back(fmt::format(
        "IsoFLOP profile of {:g}: its minimum is not bracketed: by published laws ({}) the best size is {} of the "
        "study, {} to {} (all as Chinchilla counts); add {} models or {} this budget",
        flops, fmt::join(outside, ", "), below ? "below those" : "above those", short_number(sizes.front()),
        short_number(sizes.back()), below ? "smaller" : "larger", below ? "raise" : "lower"));
  }
}

/// What is doubtful about single runs, told once for all that it holds for.
void judge_runs(const Study& study, std::vector<std::string>& warnings) {
  std::vector<std::string> stretched;
  std::vector<std::string> slow_start;
  std::vector<std::string> repeated;
  double longest = 0;
  double epochs = 0;
  const auto look = [&](const std::string& name, const RunConfig& config) {
    const auto& schedule = config.optimizer.schedule;
    const auto steps = static_cast<double>(config.train.steps);
    const double spans = static_cast<double>(schedule.horizon) / steps;
    if (schedule.kind != ScheduleKind::constant && spans > kLongestSchedule) {
      stretched.push_back(name);
      longest = std::max(longest, spans);
    }
    if (static_cast<double>(schedule.warmup_steps) > kMostWarmup * steps) slow_start.push_back(name);
  };
  for (const StudyRun& run : study.runs) {
    look(run.name, run.config);
    for (const StudyBranch& branch : run.branches) look(branch.name, branch.config);
    if (run.unique_tokens <= 0 || run.tokens <= kMostEpochs * run.unique_tokens) continue;
    repeated.push_back(run.name);
    epochs = std::max(epochs, run.tokens / run.unique_tokens);
  }
  if (!stretched.empty()) {
    warnings.push_back(
        fmt::format("the schedule is up to {:.2f} times as long as the run in {}: beyond {} the loss is clearly worse "
                    "than a run of "
                    "its own length would have; leave optimizer.schedule.horizon 0 and rules.horizon 1",
                    longest, at_most_three(stretched), kLongestSchedule));
  }
  if (!slow_start.empty()) {
    warnings.push_back(
        fmt::format("the warm-up takes more than {:.0f} % of {}: short runs then look worse than they "
                    "are, and exponents too steep; set rules.warmup",
                    100 * kMostWarmup, at_most_three(slow_start)));
  }
  if (!repeated.empty()) {
    warnings.push_back(
        fmt::format("the data is repeated up to {:.1f} times in {}: beyond {} times tokens are worth "
                    "less, and a law of fresh tokens does not hold",
                    epochs, at_most_three(repeated), kMostEpochs));
  }
}

void judge_held_out(const std::vector<DesignPoint>& points, std::vector<std::string>& warnings) {
  double fitted = 0;
  double held_out = 0;
  for (const DesignPoint& p : points) {
    auto& most = p.held_out ? held_out : fitted;
    most = std::max(most, p.parameters * p.tokens);
  }
  if (held_out == 0 || held_out > fitted) return;
  warnings.push_back("no held-out run is larger (N * D) than all fitted ones: its prediction is no extrapolation");
}

}  // namespace

std::vector<DesignPoint> design_points(const Study& study) {
  std::vector<DesignPoint> points;
  for (const StudyRun& run : study.runs) {
    DesignPoint point{.parameters = parameters_by(study.settings.parameters, run.config.model.architecture),
                      .chinchilla = run.parameters_chinchilla,
                      .tokens = run.tokens,
                      .budget_flops = run.budget_flops,
                      .held_out = run.held_out};
    points.push_back(point);
    for (const StudyBranch& branch : run.branches) {
      point.tokens = branch.tokens;
      point.budget_flops = branch.budget_flops;
      points.push_back(point);
    }
  }
  return points;
}

std::vector<std::string> design_warnings(const Study& study) {
  std::vector<std::string> warnings;
  const auto points = design_points(study);
  judge_numbers(points, warnings);
  judge_profiles(points, warnings);
  judge_runs(study, warnings);
  judge_held_out(points, warnings);
  return warnings;
}

std::string interval_warning(const Study& study) {
  const double level = study.settings.fit.level;
  const auto expected = expected_interval(design_points(study), kLossNoise, level);
  if (!expected || expected->width <= kWidestInterval) return "";
  return fmt::format(
      "the {:.0f} % interval of the exponent a (N* ~ C^a) would be about {:.2f} wide, were Hoffmann et al.'s law the "
      "truth ({:.2f}) and single losses {:.1f} % off: spread the budgets wider, or add runs at their ends",
      100 * level, expected->width, expected->truth, 100 * expected->noise);
}

}  // namespace trireme
