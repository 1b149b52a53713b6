// SPDX-License-Identifier: Apache-2.0
// Hoffmann et al.'s approach 1: of all training curves the lower envelope over compute, and which size runs along it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/scaling/bootstrap.h"
#include "core/scaling/isoflop.h"
#include "core/scaling/point.h"

namespace trireme {

/// The run that is best at one amount of compute.
struct EnvelopePoint {
  double flops = 0, parameters = 0, tokens = 0, loss = 0;
};

struct EnvelopeFit {
  std::vector<EnvelopePoint> envelope;  // where its size has both smaller and larger ones beside it
  std::size_t runs = 0;                 // curves
  ComputeLines lines;
  std::vector<ComputeLines> resamples;  // those that determined a line
};

/// `curves`: rows of runs as they went, each with run, N, D, C and a loss that is smooth. At 1,500 amounts of compute,
/// evenly spaced in their logarithm, the run of least loss is found (its curve a line in log C between rows) and a line
/// laid through log N, and log D, of all of them. Left out is where the smallest or the largest size is best, for the
/// best one may lie beyond. Throws Error(usage) where less than two sizes remain.
EnvelopeFit fit_envelope(std::span<const ScalingPoint> curves, const BootstrapOptions& options);

}  // namespace trireme
