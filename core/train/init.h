// SPDX-License-Identifier: Apache-2.0
// The first values of all parameters.
#pragma once

#include <cstdint>

#include "core/base/device.h"
#include "core/base/params.h"

namespace trireme {

/// Fills the masters that this rank holds and derives the compute copies; returns when they are in place. Each element
/// is a pure function of (seed, parameter's name, index in the global tensor): the model is the same on any mesh.
void initialise(const ParamTable& table, ParamStore& store, Device& device, Stream& stream, std::uint64_t seed);

}  // namespace trireme
