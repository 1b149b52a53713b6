// SPDX-License-Identifier: Apache-2.0
#include "core/model/rope.h"

#include <cmath>
#include <numbers>

namespace trireme {
namespace {

// Wavelengths that fit high_frequency_factor times into the original context stay; those that do not fit
// low_frequency_factor times are stretched by factor; between, a straight line in how often they fit.
double scaled(double frequency, const RopeConfig& c) {
  if (c.factor == 1.0) return frequency;
  const double fits = static_cast<double>(c.original_context) * frequency / (2.0 * std::numbers::pi);
  if (fits > c.high_frequency_factor) return frequency;
  if (fits < c.low_frequency_factor || c.high_frequency_factor <= c.low_frequency_factor) return frequency / c.factor;
  const double kept = (fits - c.low_frequency_factor) / (c.high_frequency_factor - c.low_frequency_factor);
  return (1.0 - kept) * frequency / c.factor + kept * frequency;
}

}  // namespace

std::vector<double> rope_frequencies(const RopeConfig& config, std::int64_t head_size) {
  std::vector<double> frequencies;
  for (std::int64_t i = 0; i < head_size / 2; ++i) {
    const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(head_size);
    frequencies.push_back(scaled(std::pow(config.theta, exponent), config));
  }
  return frequencies;
}

std::vector<float> rope_table(const RopeConfig& config, std::int64_t positions, std::int64_t head_size) {
  const auto frequencies = rope_frequencies(config, head_size);
  const std::size_t half = frequencies.size();
  std::vector<float> table(static_cast<std::size_t>(positions) * 2 * half);
  for (std::size_t p = 0; p < static_cast<std::size_t>(positions); ++p) {
    for (std::size_t i = 0; i < half; ++i) {
      const double angle = static_cast<double>(p) * frequencies[i];
      table[p * 2 * half + i] = static_cast<float>(std::cos(angle));
      table[p * 2 * half + half + i] = static_cast<float>(std::sin(angle));
    }
  }
  return table;
}

}  // namespace trireme
