// SPDX-License-Identifier: Apache-2.0
// Pages of HTML that are one file: no script, nothing from elsewhere, readable light and dark, on a phone and on paper.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace trireme {

/// `text` so that it stands for itself in HTML and SVG, between tags and in quoted attributes. Bytes that are no UTF-8,
/// and characters that XML does not have, become U+FFFD.
std::string html_escaped(std::string_view text);

/// A table whose cells are plain text. Columns of `numbers` are set to the right; on a narrow screen it scrolls by
/// itself.
struct HtmlTable {
  std::vector<std::string> columns;
  std::vector<bool> numbers;  // for each column; shorter: the others are words
  std::vector<std::vector<std::string>> rows;
};
std::string html_of(const HtmlTable& table);

/// The whole file; `body` is HTML, `title` plain text, `style` CSS beyond the page's own.
std::string html_page(std::string_view title, std::string_view body, std::string_view style);

}  // namespace trireme
