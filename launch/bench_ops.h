// SPDX-License-Identifier: Apache-2.0
// `trireme bench ops`: where the time of a training step goes, operation by operation, against what the device gives.
#pragma once

#include <cstdint>

#include "launch/run_config.h"
#include "parallel/parallel.h"

namespace trireme {

/// Measures every operation of real training steps on random tokens, the mean over `steps` of them after some that do
/// not count, and prints a table or one JSON object. Rank 0 speaks of its own operations.
int bench_ops(World& world, const RunConfig& config, std::int64_t steps, bool json);

}  // namespace trireme
