// SPDX-License-Identifier: Apache-2.0
// The laws themselves, as formulas: loss from parameters N and tokens D, and what a budget of C FLOPs buys. Losses in
// nats a token; logarithms are natural; a budget is spent as C = 6 N D.
#pragma once

#include <span>
#include <string_view>

namespace trireme {

/// What a budget buys at its best.
struct Optimum {
  double parameters = 0;
  double tokens = 0;
  double loss = 0;
};

/// Hoffmann et al. 2022, equation 2: L = E + A / N^alpha + B / D^beta.
struct ChinchillaLaw {
  double E = 0, A = 0, B = 0, alpha = 0, beta = 0;

  double loss(double parameters, double tokens) const;
  /// The N and D with 6 N D = `flops` of least loss, in closed form (their equation 4).
  Optimum optimum(double flops) const;
  /// Exponents of N* ~ C^a and D* ~ C^b.
  double a() const { return beta / (alpha + beta); }
  double b() const { return alpha / (alpha + beta); }
};

/// Kaplan et al. 2020, equations 1.1 and 1.2: L = (scale / x)^exponent, x being N or D.
struct PowerLaw {
  double scale = 0, exponent = 0;
  double loss(double x) const;
};

/// Kaplan et al. 2020, equation 1.5: L = [(Nc / N)^(alpha_n / alpha_d) + Dc / D]^alpha_d.
struct KaplanLaw {
  double n_c = 0, d_c = 0, alpha_n = 0, alpha_d = 0;
  double loss(double parameters, double tokens) const;
};

/// Muennighoff et al. 2023: a Chinchilla law of effective sizes, where tokens that are seen again are worth less each
/// time (`r_d`: after about so many repetitions no more), and parameters beyond those that the unique tokens call for
/// are
/// (`r_n`).
struct RepetitionLaw {
  ChinchillaLaw base;
  double r_n = 0, r_d = 0;

  /// Tokens that have never been seen, worth as much as `tokens` of which `unique` differ.
  double effective_tokens(double tokens, double unique) const;
  double effective_parameters(double parameters, double unique) const;
  double loss(double parameters, double tokens, double unique) const;
};

/// Step two of loss to accuracy: accuracy = floor + (ceiling - floor) / (1 + exp((loss - middle) / width)).
struct AccuracyLaw {
  double floor = 0, ceiling = 1, middle = 0, width = 1;
  double accuracy(double task_loss) const;
};

/// A line in the logarithms: y = exp(intercept) * x^exponent; N* or D* against compute.
struct ComputeLine {
  double intercept = 0, exponent = 0;
  double at(double flops) const;
};

/// A line that others have published, to be drawn beside one's own.
struct PublishedLine {
  std::string_view name;
  ComputeLine parameters;  // N* against C = 6 N D
};

/// Hoffmann et al.'s approaches 1 to 3 and Kaplan et al.'s.
std::span<const PublishedLine> published_lines();

/// The constants of Hoffmann et al. as their source files give them: those rounded to two digits move N* by a quarter.
ChinchillaLaw hoffmann_law();

}  // namespace trireme
