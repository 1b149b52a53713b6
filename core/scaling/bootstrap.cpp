// SPDX-License-Identifier: Apache-2.0
#include "core/scaling/bootstrap.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <limits>
#include <mutex>
#include <thread>

#include "core/base/rng.h"

namespace trireme {

std::vector<double> draw_runs(const BootstrapOptions& options, int number, std::size_t runs) {
  const Random random(options.seed, "bootstrap over runs");
  std::vector<double> counts(runs);
  for (std::size_t i = 0; i < runs; ++i) {
    ++counts[random.below(static_cast<std::uint64_t>(number) * runs + i, runs)];
  }
  return counts;
}

std::vector<double> draw_rows(const BootstrapOptions& options, int number, std::span<const std::size_t> run_of) {
  const auto counts = draw_runs(options, number, *std::max_element(run_of.begin(), run_of.end()) + 1);
  std::vector<double> weights;
  weights.reserve(run_of.size());
  for (const auto run : run_of) weights.push_back(counts[run]);
  return weights;
}

void for_each_resample(const BootstrapOptions& options, const std::function<void(int)>& body) {
  std::atomic<int> next = 0;
  std::exception_ptr problem;
  std::mutex mutex;
  const auto work = [&] {
    try {
      for (int i = next++; i < options.resamples; i = next++) body(i);
    } catch (...) {
      const std::lock_guard lock(mutex);
      problem = std::current_exception();
      next = options.resamples;
    }
  };
  std::vector<std::thread> others;
  for (int i = 1; i < options.threads; ++i) others.emplace_back(work);
  work();
  for (auto& thread : others) thread.join();
  if (problem) std::rethrow_exception(problem);
}

double quantile(std::span<const double> values, double q) {
  std::vector<double> sorted;
  std::copy_if(values.begin(), values.end(), std::back_inserter(sorted), [](double v) { return std::isfinite(v); });
  if (sorted.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::sort(sorted.begin(), sorted.end());
  const auto place = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const auto above = std::min(below + 1, sorted.size() - 1);
  const auto part = place - static_cast<double>(below);
  return sorted[below] * (1 - part) + sorted[above] * part;
}

Interval percentile_interval(std::span<const double> values, double level) {
  return {quantile(values, (1 - level) / 2), quantile(values, (1 + level) / 2)};
}

}  // namespace trireme
