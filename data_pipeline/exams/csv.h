// SPDX-License-Identifier: Apache-2.0
// Comma-separated values as RFC 4180 has them: quoted fields may hold commas, quotes (doubled) and line breaks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace trireme {

struct CsvRow {
  std::vector<std::string> fields;
  std::size_t line = 0;  // where the row begins, from 1
};

/// All rows of the text; empty lines are none. `name` is for messages. Throws Error on a quote that is never closed, or
/// that is followed by other text in its field.
std::vector<CsvRow> parse_csv(std::string_view text, const std::string& name);

}  // namespace trireme
