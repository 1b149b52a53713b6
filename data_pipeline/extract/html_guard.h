// SPDX-License-Identifier: Apache-2.0
// A look at a page's tags before the parser sees them: what would cost it quadratic time is refused.
#pragma once

#include <string_view>

namespace trireme {

/// An empty view, or the reason why `html` must not be parsed. Linear in the size of `html`.
std::string_view refuse_html(std::string_view html);

}  // namespace trireme
