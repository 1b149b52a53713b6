// SPDX-License-Identifier: Apache-2.0
// How ranks that touch files end the same way: what goes wrong on one is known to all before anyone acts on it.
#pragma once

#include <functional>
#include <string>

#include "core/base/group.h"

namespace trireme {

/// What `work` throws, as text; empty when it throws nothing.
std::string problem_of(const std::function<void()>& work);
/// The problem of the lowest rank that has one, "rank 1 of 4: ...", the same on all ranks; empty when none has.
std::string first_problem(Group& world, const std::string& own);
/// Runs `work` on rank 0 and returns its text on all ranks; what it throws is thrown on all, as Error.
std::string on_rank_zero(Group& world, const std::function<std::string()>& work);

}  // namespace trireme
