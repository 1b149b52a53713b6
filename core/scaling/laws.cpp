// SPDX-License-Identifier: Apache-2.0
#include "core/scaling/laws.h"

#include <algorithm>
#include <cmath>

namespace trireme {
namespace {

ComputeLine through(double flops, double parameters, double exponent) {
  return {std::log(parameters) - exponent * std::log(flops), exponent};
}

/// Where x counts beyond `base`, each further multiple is worth less: base * (1 + r (1 - exp(-(x / base - 1) / r))).
double saturated(double x, double base, double r) {
  if (x <= base) return x;
  return base * (1 + r * -std::expm1(-(x / base - 1) / r));
}

}  // namespace

double ChinchillaLaw::loss(double parameters, double tokens) const {
  return E + A * std::pow(parameters, -alpha) + B * std::pow(tokens, -beta);
}

Optimum ChinchillaLaw::optimum(double flops) const {
  const auto g = std::pow(alpha * A / (beta * B), 1 / (alpha + beta));
  const auto n = g * std::pow(flops / 6, a());
  const auto d = flops / 6 / n;
  return {n, d, loss(n, d)};
}

double PowerLaw::loss(double x) const { return std::pow(scale / x, exponent); }

double KaplanLaw::loss(double parameters, double tokens) const {
  return std::pow(std::pow(n_c / parameters, alpha_n / alpha_d) + d_c / tokens, alpha_d);
}

double RepetitionLaw::effective_tokens(double tokens, double unique) const {
  return saturated(tokens, std::min(tokens, unique), r_d);
}

double RepetitionLaw::effective_parameters(double parameters, double unique) const {
  // The N* of the budget whose D* are the unique tokens.
  const auto g = std::pow(base.alpha * base.A / (base.beta * base.B), 1 / (base.alpha + base.beta));
  const auto wanted = g * std::pow(unique * g, base.beta / base.alpha);
  return saturated(parameters, std::min(parameters, wanted), r_n);
}

double RepetitionLaw::loss(double parameters, double tokens, double unique) const {
  const auto seen = std::min(tokens, unique);
  return base.loss(effective_parameters(parameters, seen), effective_tokens(tokens, seen));
}

double AccuracyLaw::accuracy(double task_loss) const {
  return floor + (ceiling - floor) / (1 + std::exp((task_loss - middle) / width));
}

double ComputeLine::at(double flops) const { return std::exp(intercept + exponent * std::log(flops)); }

ChinchillaLaw hoffmann_law() {
  return {std::exp(0.5267228), std::exp(6.0073404), std::exp(6.0179186), 0.33917084, 0.2849083};
}

std::span<const PublishedLine> published_lines() {
  // Hoffmann: 1e9 parameters in their tables 3 and A3, and the closed form. Kaplan: 1.3e9 parameters at a PF-day.
  static const PublishedLine lines[] = {
      {"Hoffmann 2022, approach 1", through(1.21e20, 1e9, 0.50)},
      {"Hoffmann 2022, approach 2", through(1.20e20, 1e9, 0.49)},
      {"Hoffmann 2022, approach 3", through(1e21, hoffmann_law().optimum(1e21).parameters, hoffmann_law().a())},
      {"Kaplan 2020", through(8.64e19, 1.3e9, 0.73)},
  };
  return lines;
}

}  // namespace trireme
