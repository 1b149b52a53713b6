// SPDX-License-Identifier: Apache-2.0
// Plain text out of MediaWiki markup, with the numbers that common templates hold.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace trireme {

/// What depends on the wiki.
struct WikitextOptions {
  /// Lower-case namespace names whose links are not text: files and categories, in the wiki's language too.
  std::vector<std::string> silent_namespaces = {"file", "image", "media", "category"};
};

/// How often each template was removed, by lower-case name.
using TemplateCounts = std::map<std::string, std::uint64_t>;

/// The readable text of `wikitext`: links leave their label, headings and list items a line each, bold, comments,
/// references, tables, files and categories go. Templates of a closed set (units, numbers, dates, languages,
/// quotations) leave their content; all others go and are counted in `dropped`. Time and memory are linear in the size
/// for any input; depth of nesting is bounded, and unbalanced markup is left as text.
std::string wikitext_to_text(std::string_view wikitext, const WikitextOptions& options, TemplateCounts& dropped);

}  // namespace trireme
