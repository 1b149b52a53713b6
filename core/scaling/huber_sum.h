// SPDX-License-Identifier: Apache-2.0
// The objective of the parametric fits, in vectors: a weighted sum of Huber losses of
//   log(predicted) - log(measured),   predicted = (exp(a - alpha n) + exp(b - beta d) + constant)^power,
// n = log N and d = log D being measured from their means, which leaves the minimum where it is and makes the way to it
// short. With power 1 that is Hoffmann et al.'s equation 3, with constant 0 and beta 1 Kaplan et al.'s equation 1.5.
#pragma once

#include <span>
#include <vector>

#include "core/scaling/point.h"

namespace trireme {

/// From where on Huber's loss grows by the residual and no more by its square (Hoffmann et al., section 3.3).
inline constexpr double kHuberDelta = 1e-3;

/// Huber's loss of a residual.
double huber(double residual);

/// The rows of a fit as logarithms.
struct LogRows {
  std::vector<double> n, d, loss;  // log N and log D from their means, log loss
  std::vector<double> weight;      // how often the row counts
  double mean_n = 0, mean_d = 0;   // of all points, whatever their weights

  LogRows() = default;
  explicit LogRows(std::span<const ScalingPoint> points);
  /// The rows whose weight, taken from `weights`, is not 0; the means stay.
  LogRows reweighted(std::span<const double> weights) const;
};

/// The parameters of the objective, and its derivatives by each.
struct LogSum {
  double a = 0, alpha = 0, b = 0, beta = 0, constant = 0, power = 1;
};

/// The sum, and in `gradient` its derivatives. A sum, not a mean: a mean of a thousandth of a thousandth ends searches
/// early.
double huber_sum(const LogRows& rows, const LogSum& at, LogSum& gradient);

}  // namespace trireme
