// SPDX-License-Identifier: Apache-2.0
// The data-constrained law of Muennighoff et al. 2023: what tokens are worth that are seen again.
#pragma once

#include <span>
#include <vector>

#include "core/scaling/bootstrap.h"
#include "core/scaling/laws.h"
#include "core/scaling/point.h"

namespace trireme {

struct RepetitionFit {
  RepetitionLaw law;      // r_n is NaN where no run has more parameters than its unique tokens call for
  double objective = 0;   // sum of Huber losses of log loss over the rows that repeat
  std::size_t fresh = 0;  // rows that saw no token twice: the base law is theirs
  std::size_t repeated = 0;
  std::vector<RepetitionLaw> resamples;
};

/// As its authors: the base law from the rows that repeat nothing, as approach 3; then r_n and r_d from the others, the
/// base law held. Throws Error(usage) where the rows have no unique_tokens, fewer than three repeat, or those that do
/// not determine no base law.
RepetitionFit fit_repetition(std::span<const ScalingPoint> points, const BootstrapOptions& options);

}  // namespace trireme
