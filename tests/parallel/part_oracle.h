// SPDX-License-Identifier: Apache-2.0
// What every kind of world must do with parts of itself, and with its desk. Call each function on all ranks.
#pragma once

#include "parallel/parallel.h"

namespace trireme {

/// Parts that work at the same time, of neighbours, of every second rank, of parts, and of the same ranks again.
void expect_parts(World& world);
/// The sets of ranks that cannot be a part.
void expect_part_refusals(World& world);
/// A clerk that answers at once, later, and last of all when it closes.
void expect_desk(World& world);

}  // namespace trireme
