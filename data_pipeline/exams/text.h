// SPDX-License-Identifier: Apache-2.0
// White space as the reference harness's language sees it (Python's str.isspace), on UTF-8.
#pragma once

#include <string_view>

namespace trireme {

/// Without white space at either end.
std::string_view strip(std::string_view text);
/// Without white space at the end.
std::string_view strip_end(std::string_view text);
/// Unicode code points; every byte that does not continue a UTF-8 sequence counts one.
std::size_t code_points(std::string_view text);

}  // namespace trireme
