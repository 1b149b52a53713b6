// SPDX-License-Identifier: Apache-2.0
#include "tests/core/scaling/sample_points.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "core/base/rng.h"
#include "core/scaling/csv.h"
#include "core/scaling/study_table.h"

namespace trireme {

std::vector<ScalingPoint> chinchilla_points(std::size_t dropped) {
  const char* samples = std::getenv("TRIREME_SAMPLES");
  const std::filesystem::path folder = samples != nullptr ? samples : TRIREME_SOURCE_DIR "/../shared/samples";
  const auto file = folder / "scaling/chinchilla_points.csv";
  if (!std::filesystem::exists(file)) return {};
  auto points = read_study(read_table(file.string()), {}, file.string()).points;
  std::sort(points.begin(), points.end(), [](const auto& x, const auto& y) { return x.loss < y.loss; });
  points.resize(points.size() - dropped);
  return points;
}

std::vector<ScalingPoint> points_of(const ChinchillaLaw& law, std::size_t sizes, std::size_t budgets, double noise,
                                    std::uint64_t seed) {
  const Random random(seed, "noise of runs");
  std::vector<ScalingPoint> points;
  for (std::size_t i = 0; i < sizes; ++i) {
    for (std::size_t j = 0; j < budgets; ++j) {
      ScalingPoint p;
      p.parameters = std::round(1e7 * std::pow(100.0, static_cast<double>(i) / static_cast<double>(sizes - 1)));
      p.flops = 1e17 * std::pow(1000.0, static_cast<double>(j) / static_cast<double>(budgets - 1));
      p.tokens = p.flops / (6 * p.parameters);
      p.loss = law.loss(p.parameters, p.tokens) * std::exp(noise * random.normal(points.size()));
      points.push_back(p);
    }
  }
  return points;
}

}  // namespace trireme
