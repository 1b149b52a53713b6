// SPDX-License-Identifier: Apache-2.0
// Points for tests of fits: those read off Hoffmann et al.'s figure, and those of a known law.
#pragma once

#include <cstdint>
#include <vector>

#include "core/scaling/laws.h"
#include "core/scaling/point.h"

namespace trireme {

/// The 245 points without the `dropped` highest losses; empty where the samples are not there.
std::vector<ScalingPoint> chinchilla_points(std::size_t dropped);

/// Runs of `sizes` sizes from 1e7 to 1e9 parameters at each of `budgets` budgets from 1e17 to 1e20 FLOPs, tokens as 6ND
/// gives them; the loss is the law's times exp(noise * normal(seed)).
std::vector<ScalingPoint> points_of(const ChinchillaLaw& law, std::size_t sizes, std::size_t budgets, double noise,
                                    std::uint64_t seed);

}  // namespace trireme
