// SPDX-License-Identifier: Apache-2.0
// The readable text of an HTML page, by a library's parser and a walk over its tree.
#pragma once

#include <string>
#include <string_view>

namespace trireme {

/// Puts the text of `html` (UTF-8) into `text`: elements that hold no prose (script, style, nav, header, footer, aside,
/// form, noscript, template, ...) and what is marked as hidden or navigation go; a block element gives a new line, a
/// paragraph or heading an empty one before it; list items begin with "- "; white space collapses except in <pre>.
/// A page that is one big form keeps its forms. Returns an empty view, or the reason why the page is refused ("HTML
/// nested too deeply", "HTML tag with too many attributes", "HTML tree above its memory limit", "HTML that the parser
/// cannot take").
std::string_view html_to_text(std::string_view html, std::string& text);

}  // namespace trireme
