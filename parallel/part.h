// SPDX-License-Identifier: Apache-2.0
// What every kind of world holds the ranks of a part against.
#pragma once

#include <span>

namespace trireme {

/// Throws Error unless `ranks` are ascending ranks of a world of `size`, and `rank` is one of them.
void check_part(std::span<const int> ranks, int rank, int size);

}  // namespace trireme
