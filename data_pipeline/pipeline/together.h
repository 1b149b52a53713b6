// SPDX-License-Identifier: Apache-2.0
// Work that every rank does on its own and that must fail on all ranks when it fails on one.
#pragma once

#include <cstdint>
#include <functional>

#include "core/base/group.h"

namespace trireme {

/// Runs `body`, which calls no collective, on every rank; when it has thrown on any, throws on all of them the error of
/// the lowest such rank, with its exit code.
void together(Group& world, const std::function<void()>& body);

/// Runs body(unit) for each of 0 .. units - 1, each once over all ranks, on `workers` threads of each rank. `told(n)`
/// is called on the calling thread when n units have been handed out over all ranks. Throws on all ranks as together()
/// does.
void for_each_unit(Group& world, std::uint64_t units, std::int64_t workers,
                   const std::function<void(std::uint64_t)>& body, const std::function<void(std::uint64_t)>& told);

}  // namespace trireme
