// SPDX-License-Identifier: Apache-2.0
// The shapes of Hoffmann et al. 2022, Table A9.
#pragma once

#include <cstdint>
#include <span>

namespace trireme {

/// One row. The feed-forward width is 4 times the width. `printed` counts a matrix for relative positions in every
/// block: a transformer of this shape without it has 5 to 8 % fewer parameters.
struct ChinchillaShape {
  std::int64_t printed = 0;  // millions of parameters
  std::int64_t width = 0, head_size = 0, heads = 0, layers = 0;
};

/// All 50, in ascending order of what is printed.
std::span<const ChinchillaShape> chinchilla_shapes();

}  // namespace trireme
