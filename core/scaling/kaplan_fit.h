// SPDX-License-Identifier: Apache-2.0
// Kaplan et al.'s laws: L(N) and L(D), lines in the logarithms, and L(N, D) of both.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/scaling/bootstrap.h"
#include "core/scaling/laws.h"
#include "core/scaling/point.h"

namespace trireme {

/// L(x) = (scale / x)^exponent by least squares in the logarithms, through the lowest loss of each x.
struct PowerFit {
  PowerLaw law;
  std::vector<std::size_t> points;  // indices of the rows that it goes through
  std::vector<PowerLaw> resamples;
  std::string refused;  // why there is none; the rest is then empty
};

struct KaplanFit {
  PowerFit of_parameters, of_tokens;
  KaplanLaw law;         // L(N, D), as approach 3: sum of Huber losses of log loss over all rows
  double objective = 0;  // that sum
  std::vector<KaplanLaw> resamples;
};

/// Throws Error(usage) as check_parametric does: L(N, D) needs about the same of a table.
KaplanFit fit_kaplan(std::span<const ScalingPoint> points, const BootstrapOptions& options);

}  // namespace trireme
