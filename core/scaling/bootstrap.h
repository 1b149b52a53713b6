// SPDX-License-Identifier: Apache-2.0
// The bootstrap over runs (Efron 1979): the same fit on runs drawn with replacement, and intervals from its spread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace trireme {

struct BootstrapOptions {
  int resamples = 4000;
  std::uint64_t seed = 1;
  int threads = 1;
  double level = 0.95;  // of the intervals that are printed
};

struct Interval {
  double low = 0, high = 0;
  bool holds(double value) const { return low <= value && value <= high; }
};

/// Which runs resample `number` draws: how often each of `runs`, their sum being `runs`. The same for the same seed.
std::vector<double> draw_runs(const BootstrapOptions& options, int number, std::size_t runs);

/// The same for rows: how often each counts, `run_of` (run_numbers) saying which run it is of.
std::vector<double> draw_rows(const BootstrapOptions& options, int number, std::span<const std::size_t> run_of);

/// Calls `body(i)` for i from 0 to resamples - 1, on options.threads threads. What one of them throws is thrown here.
void for_each_resample(const BootstrapOptions& options, const std::function<void(int)>& body);

/// The quantile `q` (0 to 1) of values, linear between neighbours; values that are not finite are left out. None: NaN.
double quantile(std::span<const double> values, double q);
/// The middle `level` of values: percentile interval.
Interval percentile_interval(std::span<const double> values, double level);

}  // namespace trireme
