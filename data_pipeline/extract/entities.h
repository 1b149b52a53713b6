// SPDX-License-Identifier: Apache-2.0
// Character references of HTML 4 in wikitext: &nbsp; &eacute; &#8211; &#x2013;
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace trireme {

/// Appends to `out` the character that the reference at the beginning of `text` ("&...;") names, a no-break space as a
/// space, and returns the length of the reference; 0, with nothing appended, when it is none.
std::size_t decode_entity(std::string_view text, std::string& out);

}  // namespace trireme
