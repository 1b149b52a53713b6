// SPDX-License-Identifier: Apache-2.0
// The closed set of templates that leave text: wrappers, languages, symbols, lists, quotations. Numbers and dates have
// their own files.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "data_pipeline/extract/wikitext_parts.h"

namespace trireme::wikitext {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

/// What a template of the set leaves.
enum class Leaves { first, second, last, joined, listed, nothing };

const std::unordered_map<std::string_view, Leaves>& wrappers() {
  using enum Leaves;
  static const std::unordered_map<std::string_view, Leaves> known = {{"nowrap", first},
                                                                     {"nobr", first},
                                                                     {"nobold", first},
                                                                     {"longitem", first},
                                                                     {"vunblist", listed},
                                                                     {"native name", second},
                                                                     {"nobreak", first},
                                                                     {"no wrap", first},
                                                                     {"small", first},
                                                                     {"smaller", first},
                                                                     {"big", first},
                                                                     {"larger", first},
                                                                     {"sc", first},
                                                                     {"smallcaps", first},
                                                                     {"mvar", first},
                                                                     {"var", first},
                                                                     {"math", first},
                                                                     {"mono", first},
                                                                     {"em", first},
                                                                     {"strong", first},
                                                                     {"bold", first},
                                                                     {"italic", first},
                                                                     {"not a typo", first},
                                                                     {"notatypo", first},
                                                                     {"as written", first},
                                                                     {"proper name", first},
                                                                     {"sic", first},
                                                                     {"abbr", first},
                                                                     {"abbrlink", first},
                                                                     {"tooltip", first},
                                                                     {"hover title", first},
                                                                     {"ill", first},
                                                                     {"illm", first},
                                                                     {"interlanguage link", first},
                                                                     {"quote", first},
                                                                     {"cquote", first},
                                                                     {"blockquote", first},
                                                                     {"quotation", first},
                                                                     {"bquote", first},
                                                                     {"poemquote", first},
                                                                     {"quote box", nothing},
                                                                     {"lang", second},
                                                                     {"langx", second},
                                                                     {"lang2", second},
                                                                     {"langue", second},
                                                                     {"transl", last},
                                                                     {"transliteration", last},
                                                                     {"translit", last},
                                                                     {"nihongo2", first},
                                                                     {"color", last},
                                                                     {"font color", last},
                                                                     {"resize", last},
                                                                     {"visible anchor", first},
                                                                     {"vanchor", first},
                                                                     {"linktext", joined},
                                                                     {"plainlist", first},
                                                                     {"flatlist", first},
                                                                     {"hlist", listed},
                                                                     {"ubl", listed},
                                                                     {"unbulleted list", listed},
                                                                     {"bulleted list", listed},
                                                                     {"script", last},
                                                                     {"iast", first},
                                                                     {"unicode", first},
                                                                     {"chem2", first},
                                                                     {"chem", joined},
                                                                     {"ce", first},
                                                                     {"angbr", first},
                                                                     {"keypress", first},
                                                                     {"key", first},
                                                                     {"code", first},
                                                                     {"pslink", first},
                                                                     {"lc", first},
                                                                     {"uc", first},
                                                                     {"lcfirst", first},
                                                                     {"ucfirst", first},
                                                                     {"nsmdns", first},
                                                                     {"overline", first},
                                                                     {"underline", first},
                                                                     {"strikethrough", first}};
  return known;
}

const std::unordered_map<std::string_view, std::string_view>& symbols() {
  static const std::unordered_map<std::string_view, std::string_view> known = {{"nbsp", " "},
                                                                               {"space", " "},
                                                                               {"spaces", " "},
                                                                               {"snd", " – "},
                                                                               {"spnd", " – "},
                                                                               {"spaced ndash", " – "},
                                                                               {"spaced en dash", " – "},
                                                                               {"ndash", "–"},
                                                                               {"en dash", "–"},
                                                                               {"–", "–"},
                                                                               {"mdash", "—"},
                                                                               {"mdashb", "—"},
                                                                               {"thinsp", " "},
                                                                               {"em dash", "—"},
                                                                               {"—", "—"},
                                                                               {"!", "|"},
                                                                               {"=", "="},
                                                                               {"'", "'"},
                                                                               {"\"", "\""},
                                                                               {"·", " · "},
                                                                               {"dot", " · "},
                                                                               {"middot", " · "},
                                                                               {"bull", " • "},
                                                                               {"bullet", " • "},
                                                                               {"•", " • "},
                                                                               {"pi", "π"},
                                                                               {"times", "×"},
                                                                               {"×", "×"},
                                                                               {"degree", "°"},
                                                                               {"number sign", "#"},
                                                                               {"pipe", "|"},
                                                                               {"'s", "'s"},
                                                                               {"ellipsis", "…"},
                                                                               {"...", "..."},
                                                                               {"dagger", "†"},
                                                                               {"prime", "′"},
                                                                               {"minus", "−"}};
  return known;
}

std::string join(const std::vector<std::string_view>& parts, std::string_view between) {
  std::string result;
  for (const std::string_view part : parts) {
    const std::string_view text = trim(part);
    if (!text.empty()) {
      result.append(result.empty() ? "" : between).append(text);
    }
  }
  return result;
}

std::optional<std::string> wrapped(const TemplateCall& call, Leaves leaves) {
  switch (leaves) {
    case Leaves::first:
      for (const std::string_view key : {"text", "quote"}) {
        if (call.positional.empty() && !call.get(key).empty()) {
          return std::string(call.get(key));
        }
      }
      // Its blanks and lines matter: {{plainlist| * a}} and {{nowrap| a}}.
      return std::string(call.positional.empty() ? std::string_view{} : call.positional[0]);
    case Leaves::second:
      return std::string(call.at(1).empty() ? call.get("text") : call.at(1));
    case Leaves::last:
      return std::string(call.positional.empty() ? std::string_view{} : trim(call.positional.back()));
    case Leaves::joined:
      return join(call.positional, "");
    case Leaves::listed:
      return join(call.positional, ", ");
    case Leaves::nothing:
      break;
  }
  return std::nullopt;
}

/// {{nihongo|English|kanji|romaji}} as the wiki shows it.
std::string nihongo(const TemplateCall& call) {
  std::string inside = std::string(call.at(1));
  if (!call.at(2).empty()) {
    inside.append(inside.empty() ? "" : ", ").append(call.at(2));
  }
  std::string text(call.at(0));
  if (!inside.empty()) {
    text.append(text.empty() ? "" : " ").append("(").append(inside).append(")");
  }
  return text;
}

/// {{formatnum:1234}} and its like: the function's name ends at the colon, and its first argument begins there.
void name_and_function(std::string_view head, TemplateCall& call) {
  call.name = lower_ascii(head);
  std::replace(call.name.begin(), call.name.end(), '_', ' ');
  const std::size_t colon = call.name.find(':');
  if (colon == kNone) {
    return;
  }
  static const std::unordered_set<std::string_view> functions = {"formatnum", "lc", "uc", "lcfirst", "ucfirst"};
  const std::string before(trim(std::string_view(call.name).substr(0, colon)));
  if (functions.contains(before)) {
    call.name = before;
    call.positional.push_back(head.substr(colon + 1));
  } else if (before == "subst" || before == "template" || before == "safesubst") {
    call.name = std::string(trim(std::string_view(call.name).substr(colon + 1)));
  }
}

}  // namespace

std::string lower_ascii(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return result;
}

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == kNone) {
    return {};
  }
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

std::string_view TemplateCall::at(std::size_t i) const {
  return i < positional.size() ? trim(positional[i]) : std::string_view{};
}

std::string_view TemplateCall::get(std::string_view key) const {
  // The last one counts, as in MediaWiki.
  for (auto it = named.rbegin(); it != named.rend(); ++it) {
    if (it->first == key) {
      return it->second;
    }
  }
  return {};
}

TemplateCall make_call(const std::vector<std::string_view>& parts) {
  TemplateCall call;
  name_and_function(trim(parts[0]), call);
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::string_view part = parts[i];
    const std::size_t equals = part.find('=');
    const std::string_view key = equals == kNone ? std::string_view{} : trim(part.substr(0, equals));
    constexpr std::string_view key_characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_- ";
    if (equals == kNone || key.empty() || key.size() > 32 || key.find_first_not_of(key_characters) != kNone) {
      call.positional.push_back(part);
    } else if (key.size() == 1 && key[0] >= '1' && key[0] <= '9') {
      const auto index = static_cast<std::size_t>(key[0] - '1');
      call.positional.resize(std::max(call.positional.size(), index + 1));
      call.positional[index] = part.substr(equals + 1);
    } else {
      call.named.emplace_back(key, trim(part.substr(equals + 1)));
    }
  }
  return call;
}

std::optional<std::string> evaluate(const TemplateCall& call) {
  if (const auto symbol = symbols().find(call.name); symbol != symbols().end()) {
    return std::string(symbol->second);
  }
  if (const auto wrapper = wrappers().find(call.name); wrapper != wrappers().end()) {
    return wrapped(call, wrapper->second);
  }
  if (call.name.starts_with("lang-") && call.name.size() <= 16) {
    return std::string(call.at(0));
  }
  if (call.name == "nihongo") {
    return nihongo(call);
  }
  if (auto text = evaluate_quantity(call); text.has_value()) {
    return text;
  }
  return evaluate_date(call);
}

}  // namespace trireme::wikitext
