// SPDX-License-Identifier: Apache-2.0
// The table of rotations that rotary positions read.
#pragma once

#include <cstdint>
#include <vector>

#include "core/model/architecture.h"

namespace trireme {

/// Radians per position of the pairs (i, i + K/2), i < K/2: theta^(-2i/K), the low frequencies slowed down by
/// config.factor as Llama 3.1 does when that is not 1.
std::vector<double> rope_frequencies(const RopeConfig& config, std::int64_t head_size);

/// [positions, K]: K/2 cosines, then K/2 sines.
std::vector<float> rope_table(const RopeConfig& config, std::int64_t positions, std::int64_t head_size);

}  // namespace trireme
