// SPDX-License-Identifier: Apache-2.0
#include "core/scaling/isoflop.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "core/base/error.h"

namespace trireme {
namespace {

constexpr std::size_t kLeastSizes = 3;  // a parabola has three coefficients

/// The parabola of weighted least squares; nothing when the points do not determine one.
std::optional<Parabola> fit_parabola(std::span<const double> x, std::span<const double> y,
                                     std::span<const double> weight) {
  double all = 0, centre = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    all += weight[i];
    centre += weight[i] * x[i];
  }
  centre /= all;
  // Normal equations from the mean of x: a 3 x 3 system in 1, u, u^2.
  double u1 = 0, u2 = 0, u3 = 0, u4 = 0, v0 = 0, v1 = 0, v2 = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const auto u = x[i] - centre, w = weight[i];
    u1 += w * u;
    u2 += w * u * u;
    u3 += w * u * u * u;
    u4 += w * u * u * u * u;
    v0 += w * y[i];
    v1 += w * y[i] * u;
    v2 += w * y[i] * u * u;
  }
  const auto determinant = all * (u2 * u4 - u3 * u3) - u1 * (u1 * u4 - u3 * u2) + u2 * (u1 * u3 - u2 * u2);
  if (!(determinant > 1e-12 * all * u2 * u4)) return std::nullopt;
  const auto c0 = (v0 * (u2 * u4 - u3 * u3) - u1 * (v1 * u4 - u3 * v2) + u2 * (v1 * u3 - u2 * v2)) / determinant;
  const auto c1 = (all * (v1 * u4 - u3 * v2) - v0 * (u1 * u4 - u3 * u2) + u2 * (u1 * v2 - v1 * u2)) / determinant;
  const auto c2 = (all * (u2 * v2 - v1 * u3) - u1 * (u1 * v2 - v1 * u2) + v0 * (u1 * u3 - u2 * u2)) / determinant;
  const auto lowest = -c1 / (2 * c2);
  return Parabola{centre + lowest, c0 - c2 * lowest * lowest, c2};
}

/// The values of a budget's runs, with how often each counts.
struct Profile {
  std::vector<double> log_n, loss, weight;
  std::size_t sizes() const {
    std::vector<double> n;
    for (std::size_t i = 0; i < log_n.size(); ++i) {
      if (weight[i] > 0) n.push_back(std::pow(10, log_n[i]));
    }
    return distinct(n).size();
  }
};

Profile values_of(const IsoflopProfile& profile, std::span<const ScalingPoint> points,
                  std::span<const double> weights) {
  Profile values;
  for (const auto i : profile.points) {
    values.log_n.push_back(std::log10(points[i].parameters));
    values.loss.push_back(points[i].loss);
    values.weight.push_back(weights[i]);
  }
  return values;
}

/// The least point of a budget's parabola, or why it has none.
std::optional<Parabola> minimum_of(const Profile& values, std::string& problem) {
  const auto sizes = values.sizes();
  if (sizes < kLeastSizes) {
    problem = fmt::format("{} sizes; a parabola needs {}", sizes, kLeastSizes);
    return std::nullopt;
  }
  const auto parabola = fit_parabola(values.log_n, values.loss, values.weight);
  if (!parabola || !(parabola->curvature > 0)) {
    problem = "its parabola has no minimum";
    return parabola;
  }
  const auto [low, high] = std::minmax_element(values.log_n.begin(), values.log_n.end());
  if (parabola->middle <= *low || parabola->middle >= *high) {
    problem =
        fmt::format("its minimum, N = {:.3g}, lies beyond its {} size: train {} ones", std::pow(10, parabola->middle),
                    parabola->middle <= *low ? "smallest" : "largest", parabola->middle <= *low ? "smaller" : "larger");
  }
  return parabola;
}

/// The lines through the minima that there are; nothing with fewer than two.
std::optional<ComputeLines> lines_of(std::span<const IsoflopProfile> profiles, std::span<const double> minima) {
  std::vector<double> c, n, d;
  for (std::size_t i = 0; i < profiles.size(); ++i) {
    if (std::isnan(minima[i])) continue;
    c.push_back(profiles[i].flops);
    n.push_back(minima[i]);
    d.push_back(profiles[i].flops / (6 * minima[i]));
  }
  if (c.size() < 2) return std::nullopt;
  return ComputeLines{line_through(c, n), line_through(c, d)};
}

std::vector<IsoflopProfile> make_profiles(std::span<const ScalingPoint> points, const IsoflopOptions& isoflop) {
  auto budgets = isoflop.budgets.empty() ? find_budgets(points, isoflop.tolerance) : isoflop.budgets;
  std::sort(budgets.begin(), budgets.end());
  std::vector<IsoflopProfile> profiles;
  const std::vector<double> once(points.size(), 1);
  for (const auto budget : budgets) {
    IsoflopProfile profile;
    profile.flops = budget;
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (std::abs(std::log(points[i].flops / budget)) <= isoflop.tolerance) profile.points.push_back(i);
    }
    double log_flops = 0;  // what was spent is where the minimum belongs, not what was planned
    for (const auto i : profile.points) {
      log_flops += std::log(points[i].flops) / static_cast<double>(profile.points.size());
    }
    if (!profile.points.empty()) profile.flops = std::exp(log_flops);
    if (const auto found = minimum_of(values_of(profile, points, once), profile.problem)) {
      profile.parabola = *found;
      profile.parameters = std::pow(10, found->middle);
      profile.loss = found->least;
    }
    profiles.push_back(std::move(profile));
  }
  return profiles;
}

void bootstrap(IsoflopFit& fit, std::span<const ScalingPoint> points, const BootstrapOptions& options) {
  const auto run_of = run_numbers(points);
  const auto count = static_cast<std::size_t>(options.resamples);
  std::vector<std::vector<double>> minima(fit.profiles.size(), std::vector<double>(count, NAN));
  std::vector<std::optional<ComputeLines>> lines(count);
  for_each_resample(options, [&](int number) {
    const auto weights = draw_rows(options, number, run_of);
    std::vector<double> found;
    for (std::size_t i = 0; i < fit.profiles.size(); ++i) {
      std::string problem;
      const auto parabola = minimum_of(values_of(fit.profiles[i], points, weights), problem);
      // As of the profile itself: a minimum beyond its sizes is none.
      const bool usable = fit.profiles[i].problem.empty() && problem.empty();
      found.push_back(usable ? std::pow(10, parabola->middle) : NAN);
      minima[i][static_cast<std::size_t>(number)] = found.back();
    }
    lines[static_cast<std::size_t>(number)] = lines_of(fit.profiles, found);
  });
  for (std::size_t i = 0; i < minima.size(); ++i) {
    fit.profiles[i].interval = percentile_interval(minima[i], options.level);
  }
  for (const auto& l : lines) {
    if (l) fit.resamples.push_back(*l);
  }
}

}  // namespace

double Parabola::at(double parameters) const {
  const auto x = std::log10(parameters) - middle;
  return least + curvature * x * x;
}

ComputeLine line_through(std::span<const double> x, std::span<const double> y) {
  const auto count = static_cast<double>(x.size());
  double mean_x = 0, mean_y = 0, xx = 0, xy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    mean_x += std::log(x[i]) / count;
    mean_y += std::log(y[i]) / count;
  }
  for (std::size_t i = 0; i < x.size(); ++i) {
    xx += (std::log(x[i]) - mean_x) * (std::log(x[i]) - mean_x);
    xy += (std::log(x[i]) - mean_x) * (std::log(y[i]) - mean_y);
  }
  return {mean_y - xy / xx * mean_x, xy / xx};
}

std::vector<double> find_budgets(std::span<const ScalingPoint> points, double tolerance) {
  std::vector<const ScalingPoint*> left;
  for (const auto& p : points) left.push_back(&p);
  const auto near = [](const ScalingPoint* p, double budget, double far) {
    return std::abs(std::log(p->flops / budget)) <= far;
  };
  std::vector<double> budgets;
  for (;;) {
    double fullest = 0;
    std::size_t most = 0;
    for (const auto* candidate : left) {
      std::vector<double> sizes;
      for (const auto* p : left) {
        if (near(p, candidate->flops, tolerance)) sizes.push_back(p->parameters);
      }
      if (const auto count = distinct(sizes).size(); count > most) {
        most = count;
        fullest = candidate->flops;
      }
    }
    if (most < kLeastSizes) break;
    budgets.push_back(fullest);
    // No budget of what another has left over.
    std::erase_if(left, [&](const ScalingPoint* p) { return near(p, fullest, 2 * tolerance); });
  }
  std::sort(budgets.begin(), budgets.end());
  return budgets;
}

IsoflopFit fit_isoflop(std::span<const ScalingPoint> points, const IsoflopOptions& isoflop,
                       const BootstrapOptions& options) {
  IsoflopFit fit;
  fit.profiles = make_profiles(points, isoflop);
  std::vector<double> minima;
  std::string problems;
  for (const auto& p : fit.profiles) {
    minima.push_back(p.problem.empty() ? p.parameters : NAN);
    if (!p.problem.empty()) problems += fmt::format("; {:.3g} FLOPs: {}", p.flops, p.problem);
  }
  const auto lines = lines_of(fit.profiles, minima);
  check_usage(
      lines.has_value(),
      "IsoFLOP profiles need two budgets, each trained by at least {} sizes with the best N between them; of {} "
      "budgets found, fewer have that{}; give them with --budgets, or add runs",
      kLeastSizes, fit.profiles.size(), problems);
  fit.lines = *lines;
  bootstrap(fit, points, options);
  return fit;
}

}  // namespace trireme
