// SPDX-License-Identifier: Apache-2.0
// Which character set a page is in, and the page in UTF-8.
#pragma once

#include <string>
#include <string_view>

#include "data_pipeline/extract/normalize.h"

namespace trireme {

enum class CharsetVerdict { decoded, unsupported, invalid };

/// `page` in UTF-8. The set is told, in this order, by a byte order mark, by the bytes themselves when they are valid
/// UTF-8 beyond ASCII, by `content_type` (its charset parameter), by a <meta> element in the first 1024 bytes. Without
/// any of these it is windows-1252. ISO-8859-1 and US-ASCII mean windows-1252, as in the WHATWG encoding standard;
/// other sets are unsupported. `invalid`: the page says UTF-8, is not, and `policy` is to fail.
CharsetVerdict html_to_utf8(std::string_view page, std::string_view content_type, InvalidUtf8 policy,
                            std::string& utf8);

}  // namespace trireme
