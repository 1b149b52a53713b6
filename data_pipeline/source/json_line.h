// SPDX-License-Identifier: Apache-2.0
// One line of JSONL: the text field and a name for the document, under limits that the JSON library does not have.
#pragma once

#include <string>
#include <string_view>

namespace trireme {

struct JsonLine {
  std::string text;
  std::string uri_or_title;  ///< the first of "url", "uri", "id", "title" that is a string
};

/// Parses `line`, one JSON object, and takes its top-level string `text_field`. Returns an empty view, or one of a few
/// fixed reasons: not JSON, not an object, nested deeper than 64, a key twice in an object, a NUL byte, the field
/// missing, empty or not a string.
std::string_view parse_json_line(std::string_view line, std::string_view text_field, JsonLine& result);

}  // namespace trireme
