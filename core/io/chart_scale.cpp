// SPDX-License-Identifier: Apache-2.0
#include "core/io/chart_scale.h"

#include <fmt/format.h>

#include <algorithm>

namespace trireme {
namespace {

/// `digits` times powers of ten, of which each `stride`-th is taken.
std::vector<double> powers(double low, double high, const std::vector<double>& digits, int stride) {
  std::vector<double> values;
  const auto first = static_cast<int>(std::floor(std::log10(low)));
  for (int exponent = first; exponent <= std::log10(high); ++exponent) {
    if (exponent % stride != 0) continue;
    for (const auto digit : digits) {
      const auto value = digit * std::pow(10.0, exponent);
      if (value >= low && value <= high) values.push_back(value);
    }
  }
  return values;
}

/// Multiples of a round distance, at most about `most` of them.
std::vector<double> even_grid(double low, double high, double most) {
  const auto raw = (high - low) / most;
  const auto power = std::pow(10.0, std::floor(std::log10(raw)));
  double step = 10 * power;
  for (const double factor : {5.0, 2.5, 2.0, 1.0}) {
    if (factor * power >= raw) step = factor * power;
  }
  std::vector<double> values;
  for (double i = std::ceil(low / step); i * step <= high; ++i) values.push_back(i * step);
  return values;
}

/// The densest of several grids that has at most `most` lines.
std::vector<double> log_grid(double low, double high, double most) {
  if (high / low < 4) return even_grid(low, high, most);
  const std::vector<std::vector<double>> choices = {{1, 1.5, 2, 3, 4, 5, 6, 8}, {1, 2, 3, 5}, {1, 2, 5}, {1, 3}, {1}};
  for (const auto& digits : choices) {
    auto values = powers(low, high, digits, 1);
    if (static_cast<double>(values.size()) <= most) return values;
  }
  for (int stride = 2;; ++stride) {
    auto values = powers(low, high, {1}, stride);
    if (static_cast<double>(values.size()) <= most || stride > 300) return values;
  }
}

}  // namespace

void ChartScale::include(double value) {
  if (!can_show(value)) return;
  low_ = std::min(low_, value);
  high_ = std::max(high_, value);
}

void ChartScale::settle(double from, double to, double margin) {
  if (!(low_ <= high_)) low_ = high_ = 1;
  if (logarithmic_) {
    const double room = std::max(std::pow(high_ / low_, margin), margin > 0 ? 1.02 : 1.0);
    low_ /= room;
    high_ *= room;
    if (low_ == high_) high_ = 2 * low_;
  } else {
    const double room = (high_ - low_) * margin;
    low_ -= room;
    high_ += room;
    if (low_ == high_) high_ = low_ + std::max(1.0, std::abs(low_));
  }
  from_ = from;
  to_ = to;
}

double ChartScale::at(double value) const {
  const double part = logarithmic_ ? std::log(value / low_) / std::log(high_ / low_) : (value - low_) / (high_ - low_);
  return from_ + part * (to_ - from_);
}

std::vector<double> ChartScale::grid(double distance) const {
  const double most = std::max(2.0, std::abs(to_ - from_) / distance);
  return logarithmic_ ? log_grid(low_, high_, most) : even_grid(low_, high_, most);
}

std::string ChartScale::text(double value) const { return counts_ ? count_text(value, 4) : number_text(value, 4); }

std::string number_text(double value, int digits) {
  auto text = fmt::format("{:.{}g}", value, digits);
  const auto exponent = text.find('e');
  if (exponent == std::string::npos) return text;
  if (text[exponent + 1] == '+') text.erase(exponent + 1, 1);
  const auto first = exponent + (text[exponent + 1] == '-' ? 2 : 1);
  if (text[first] == '0') text.erase(first, 1);
  return text;
}

std::string count_text(double value, int digits) {
  static constexpr std::pair<double, const char*> kUnits[] = {{1e12, "T"}, {1e9, "B"}, {1e6, "M"}, {1e3, "K"}};
  for (const auto& [unit, letter] : kUnits) {
    // Rounding may carry a number into the next unit.
    if (value >= (1 - 0.5 * std::pow(10.0, -digits)) * unit && value < 1e6 * unit) {
      return number_text(value / unit, digits) + letter;
    }
  }
  return number_text(value, digits);
}

}  // namespace trireme
