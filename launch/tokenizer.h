// SPDX-License-Identifier: Apache-2.0
// The command `trireme tokenizer`: train, encode, decode and inspect tokenizers.
#pragma once

#include <span>
#include <string>

namespace trireme {

/// Runs `trireme tokenizer ARGS`; the result goes to standard output, as one JSON object with --json. Returns the exit
/// code; throws Error.
int tokenizer_command(std::span<const std::string> args);

}  // namespace trireme
