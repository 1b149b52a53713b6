// SPDX-License-Identifier: Apache-2.0
// `trireme bench collectives`: how fast tensors pass between ranks.
#pragma once

#include <span>
#include <string>

namespace trireme {

/// Arguments after "bench collectives"; returns the exit code, or throws Error.
int bench_collectives_command(std::span<const std::string> arguments);

}  // namespace trireme
