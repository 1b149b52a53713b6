// SPDX-License-Identifier: Apache-2.0
// Whether the runs of a study fit into the memory that is free, each of them and those that run side by side.
#pragma once

#include <span>

#include "core/base/config.h"
#include "launch/memory_check.h"
#include "launch/study_results.h"

namespace trireme {

/// Adds a problem for each of `items` of which a rank takes more than is free, with what would fit; where every one
/// fits alone, one for those that may run side by side on a host that all its ranks share. Bytes are counted as
/// `trireme train` counts them before it starts.
void check_study_memory(std::span<const StudyItem* const> items, DeviceKind kind, const FreeMemory& free,
                        Problems& problems);

}  // namespace trireme
