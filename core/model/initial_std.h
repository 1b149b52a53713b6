// SPDX-License-Identifier: Apache-2.0
// How wide parameters start: GPT-2's rule (Radford et al. 2019), for both families.
#pragma once

#include <cmath>

#include "core/model/architecture.h"

namespace trireme {

/// Standard deviation of embeddings and of matrices that read the residual stream.
inline constexpr float kInitialStd = 0.02F;

/// Of matrices that write to the residual stream: 0.02 / sqrt(2L), so that 2L additions keep its variance.
inline float residual_std(const Architecture& a) {
  return static_cast<float>(0.02 / std::sqrt(2.0 * static_cast<double>(a.layers)));
}

}  // namespace trireme
