// SPDX-License-Identifier: Apache-2.0
// The steps of wikitext_to_text: tags, then templates and links, then lines.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data_pipeline/extract/wikitext.h"

namespace trireme::wikitext {

/// In nowiki and the like, each of kMarkup stands as the control character at the same place of kStandIns, which no
/// later step takes for markup. Control characters of the input are dropped first.
constexpr std::string_view kMarkup = "[]{}|'=*#:;<>_-!";
constexpr std::string_view kStandIns = "\x01\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x10\x11\x12\x13";
static_assert(kMarkup.size() == kStandIns.size());

/// `text` without comments, without tags, and without the content of references, galleries and their like.
std::string strip_tags(std::string_view text);

/// A template with its arguments, which are views into text that lives for the call.
struct TemplateCall {
  std::string name;  ///< lower case, blanks for underscores
  std::vector<std::string_view> positional;
  std::vector<std::pair<std::string_view, std::string_view>> named;

  /// Argument `i` from 0, trimmed; empty when it was not given.
  std::string_view at(std::size_t i) const;
  std::string_view get(std::string_view key) const;
};

/// `parts`: what stands between the bars, the name first.
TemplateCall make_call(const std::vector<std::string_view>& parts);

/// The text that a template of the closed set leaves; nothing for all others.
std::optional<std::string> evaluate(const TemplateCall& call);
std::optional<std::string> evaluate_date(const TemplateCall& call);
std::optional<std::string> evaluate_quantity(const TemplateCall& call);

/// `text` without templates, links, tables.
std::string resolve_structure(std::string_view text, const WikitextOptions& options, TemplateCounts& dropped);

/// The lines of `text` without bold, list markers, empty sections, stray brackets; character references decoded.
std::string clean_lines(std::string_view text);

std::string lower_ascii(std::string_view text);
std::string_view trim(std::string_view text);
bool is_number(std::string_view text);

}  // namespace trireme::wikitext
