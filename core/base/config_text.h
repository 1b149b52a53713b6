// SPDX-License-Identifier: Apache-2.0
// How values and bounds of settings are written, in messages about what was read and in what is written.
#pragma once

#include <string>
#include <string_view>

#include "core/base/config.h"

namespace trireme {

/// "at least 1", "above 0, at most 3".
std::string bounds_text(Bounds bounds);
/// In quotes, as YAML reads it back.
std::string quoted_text(std::string_view text);

}  // namespace trireme
