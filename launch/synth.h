// SPDX-License-Identifier: Apache-2.0
// The command `trireme synth`: a synthetic world to train and examine on.
#pragma once

#include <span>
#include <string>

namespace trireme {

/// Runs `trireme synth ARGS`; says on standard output what was written, with --json as one JSON object. Returns the
/// exit code; throws Error.
int synth_command(std::span<const std::string> args);

}  // namespace trireme
