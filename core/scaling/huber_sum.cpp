// SPDX-License-Identifier: Apache-2.0
#include "core/scaling/huber_sum.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <numeric>

// The loop below is compiled for three kinds of processor and the best is taken when the program starts.
// ThreadSanitizer cannot start programs that choose so.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
#define TRIREME_BY_PROCESSOR __attribute__((target_clones("avx512f", "fma", "default")))
#else
#define TRIREME_BY_PROCESSOR
#endif

namespace trireme {
namespace {

constexpr double kRound = 0x1.8p52;  // added to a small number, it leaves the nearest integer in the lowest bits

/// exp(x) to 2 units in the last place, without branches or calls; beyond +-700 that of +-700.
inline double exp_of(double x) {
  x = x < -700 ? -700 : x;
  x = x > 700 ? 700 : x;
  const double shifted = x * 0x1.71547652b82fep0 + kRound;
  const double n = shifted - kRound;
  // ln 2 in two parts, so that n times the first is exact.
  const double r = (x - n * 0x1.62e42feep-1) - n * 0x1.a39ef35793c76p-33;
  // Taylor's series: |r| <= ln(2)/2, and the term that follows the last is below 2^-55.
  double p = 1.0 / 6227020800.0;
  p = p * r + 1.0 / 479001600.0;
  p = p * r + 1.0 / 39916800.0;
  p = p * r + 1.0 / 3628800.0;
  p = p * r + 1.0 / 362880.0;
  p = p * r + 1.0 / 40320.0;
  p = p * r + 1.0 / 5040.0;
  p = p * r + 1.0 / 720.0;
  p = p * r + 1.0 / 120.0;
  p = p * r + 1.0 / 24.0;
  p = p * r + 1.0 / 6.0;
  p = p * r + 0.5;
  p = p * r + 1.0;
  p = p * r + 1.0;
  return p * std::bit_cast<double>((std::bit_cast<std::uint64_t>(shifted) + 1023U) << 52U);
}

/// log(x) of a normal positive number, likewise.
inline double log_of(double x) {
  const auto bits = std::bit_cast<std::uint64_t>(x);
  const auto exponent = (bits - std::bit_cast<std::uint64_t>(0x1.6a09e667f3bcdp-1)) & 0xfff0000000000000U;
  const double m = std::bit_cast<double>(bits - exponent);  // in [sqrt(1/2), sqrt(2))
  // The exponent, a signed number of 12 bits, laid into the lowest bits of 2^52 with 2^11 added.
  const double n = std::bit_cast<double>(((exponent >> 52U) ^ 0x800U) | 0x4330000000000000U) - (0x1p52 + 0x800);
  // log m = 2 atanh t: t^2 <= 0.0295, and the term that follows the last is below 2^-60.
  const double t = (m - 1.0) / (m + 1.0);
  const double w = t * t;
  double p = 1.0 / 23;
  p = p * w + 1.0 / 21;
  p = p * w + 1.0 / 19;
  p = p * w + 1.0 / 17;
  p = p * w + 1.0 / 15;
  p = p * w + 1.0 / 13;
  p = p * w + 1.0 / 11;
  p = p * w + 1.0 / 9;
  p = p * w + 1.0 / 7;
  p = p * w + 1.0 / 5;
  p = p * w + 1.0 / 3;
  return n * 0x1.62e42fefa39efp-1 + (2 * t + 2 * t * w * p);
}

struct Columns {
  const double *n, *d, *loss, *weight;
  std::size_t rows;
};

TRIREME_BY_PROCESSOR double sum_over(const Columns& c, const LogSum& at, LogSum& gradient) {
  const double *const n = c.n, *const d = c.d, *const loss = c.loss, *const weight = c.weight;
  const double a = at.a, alpha = at.alpha, b = at.b, beta = at.beta, constant = at.constant, power = at.power;
  double sum = 0, by_a = 0, by_alpha = 0, by_b = 0, by_beta = 0, by_constant = 0, by_power = 0;
#pragma omp simd reduction(+ : sum, by_a, by_alpha, by_b, by_beta, by_constant, by_power)
  for (std::size_t i = 0; i < c.rows; ++i) {
    const double first = exp_of(a - alpha * n[i]);
    const double second = exp_of(b - beta * d[i]);
    const double inner = first + second + constant;
    const double log_inner = log_of(inner);
    const double r = power * log_inner - loss[i];
    double slope = r < -kHuberDelta ? -kHuberDelta : r;
    slope = slope > kHuberDelta ? kHuberDelta : slope;
    const double weighted = weight[i] * slope;
    const double part = weighted * power / inner;
    sum += weighted * (r - 0.5 * slope);
    by_a += part * first;
    by_alpha -= part * first * n[i];
    by_b += part * second;
    by_beta -= part * second * d[i];
    by_constant += part;
    by_power += weighted * log_inner;
  }
  gradient = {by_a, by_alpha, by_b, by_beta, by_constant, by_power};
  return sum;
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

double huber(double residual) {
  const auto slope = std::clamp(residual, -kHuberDelta, kHuberDelta);
  return slope * (residual - 0.5 * slope);
}

LogRows::LogRows(std::span<const ScalingPoint> points) {
  for (const auto& p : points) {
    n.push_back(std::log(p.parameters));
    d.push_back(std::log(p.tokens));
    loss.push_back(std::log(p.loss));
    weight.push_back(1);
  }
  mean_n = mean(n);
  mean_d = mean(d);
  for (auto& v : n) v -= mean_n;
  for (auto& v : d) v -= mean_d;
}

LogRows LogRows::reweighted(std::span<const double> weights) const {
  LogRows rows;
  rows.mean_n = mean_n;
  rows.mean_d = mean_d;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] == 0) continue;
    rows.n.push_back(n[i]);
    rows.d.push_back(d[i]);
    rows.loss.push_back(loss[i]);
    rows.weight.push_back(weights[i]);
  }
  return rows;
}

double huber_sum(const LogRows& rows, const LogSum& at, LogSum& gradient) {
  const Columns columns{rows.n.data(), rows.d.data(), rows.loss.data(), rows.weight.data(), rows.n.size()};
  return sum_over(columns, at, gradient);
}

}  // namespace trireme
