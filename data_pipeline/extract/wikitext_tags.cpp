// SPDX-License-Identifier: Apache-2.0
// Comments and tags of wikitext. Every search remembers what it found: no byte is looked at twice for the same word.
#include <algorithm>
#include <array>
#include <map>

#include "data_pipeline/extract/wikitext_parts.h"

namespace trireme::wikitext {
namespace {

constexpr std::size_t kNone = std::string_view::npos;
constexpr std::size_t kMostTag = 4096;
constexpr std::size_t kMostName = 16;

enum class Treatment { literal, drop_content, verbatim, formula, strip, line_break, raise };

Treatment treatment(std::string_view name) {
  using enum Treatment;
  static const std::map<std::string_view, Treatment> known = {{"ref", drop_content},
                                                              {"references", drop_content},
                                                              {"gallery", drop_content},
                                                              {"timeline", drop_content},
                                                              {"score", drop_content},
                                                              {"imagemap", drop_content},
                                                              {"hiero", drop_content},
                                                              {"graph", drop_content},
                                                              {"mapframe", drop_content},
                                                              {"maplink", drop_content},
                                                              {"inputbox", drop_content},
                                                              {"templatedata", drop_content},
                                                              {"indicator", drop_content},
                                                              {"categorytree", drop_content},
                                                              {"includeonly", drop_content},
                                                              {"templatestyles", drop_content},
                                                              {"style", drop_content},
                                                              {"script", drop_content},
                                                              {"section", strip},
                                                              {"nowiki", verbatim},
                                                              {"pre", verbatim},
                                                              {"source", verbatim},
                                                              {"syntaxhighlight", verbatim},
                                                              {"math", formula},
                                                              {"chem", formula},
                                                              {"ce", formula},
                                                              {"sup", raise},
                                                              {"br", line_break},
                                                              {"hr", line_break},
                                                              {"p", line_break},
                                                              {"div", line_break},
                                                              {"blockquote", line_break},
                                                              {"center", line_break},
                                                              {"poem", line_break},
                                                              {"li", line_break},
                                                              {"ul", line_break},
                                                              {"ol", line_break},
                                                              {"tr", line_break},
                                                              {"table", line_break},
                                                              {"dl", line_break},
                                                              {"dt", line_break},
                                                              {"dd", line_break},
                                                              {"h1", line_break},
                                                              {"h2", line_break},
                                                              {"h3", line_break},
                                                              {"h4", line_break},
                                                              {"caption", line_break},
                                                              {"td", strip},
                                                              {"th", strip},
                                                              {"b", strip},
                                                              {"i", strip},
                                                              {"u", strip},
                                                              {"s", strip},
                                                              {"em", strip},
                                                              {"strong", strip},
                                                              {"span", strip},
                                                              {"small", strip},
                                                              {"big", strip},
                                                              {"sub", strip},
                                                              {"font", strip},
                                                              {"tt", strip},
                                                              {"code", strip},
                                                              {"kbd", strip},
                                                              {"samp", strip},
                                                              {"var", strip},
                                                              {"cite", strip},
                                                              {"q", strip},
                                                              {"del", strip},
                                                              {"ins", strip},
                                                              {"strike", strip},
                                                              {"abbr", strip},
                                                              {"bdi", strip},
                                                              {"bdo", strip},
                                                              {"mark", strip},
                                                              {"ruby", strip},
                                                              {"rb", strip},
                                                              {"rt", strip},
                                                              {"rp", strip},
                                                              {"time", strip},
                                                              {"wbr", strip},
                                                              {"noinclude", strip},
                                                              {"onlyinclude", strip},
                                                              {"data", strip},
                                                              {"a", strip},
                                                              {"tbody", strip},
                                                              {"dfn", strip}};
  const auto found = known.find(name);
  return found == known.end() ? literal : found->second;
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

/// Searches for one word whose result is used again until the reading has passed it.
class Finder {
 public:
  std::size_t find(std::string_view text, std::string_view word, std::size_t from) {
    if (at_ == kNone && searched_) {
      return kNone;
    }
    if (!searched_ || at_ < from) {
      at_ = text.find(word, from);
      searched_ = true;
    }
    return at_;
  }

 private:
  std::size_t at_ = 0;
  bool searched_ = false;
};

class Tags {
 public:
  explicit Tags(std::string_view text) : text_(text), lower_(lower_ascii(text)) { out_.reserve(text.size()); }

  std::string run() {
    while (at_ < text_.size()) {
      const std::size_t next = std::min(text_.find('<', at_), text_.size());
      copy(text_.substr(at_, next - at_));
      at_ = next;
      if (at_ < text_.size() && !comment() && !tag()) {
        copy("<");
        ++at_;
      }
    }
    return std::move(out_);
  }

 private:
  void copy(std::string_view part) {
    for (const char c : part) {
      if (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t') {
        out_.push_back(c);
      }
    }
  }

  void copy_verbatim(std::string_view part) {
    for (const char c : part) {
      const std::size_t i = kMarkup.find(c);
      if (i != kNone) {
        out_.push_back(kStandIns[i]);
      } else {
        copy({&c, 1});
      }
    }
  }

  bool comment() {
    if (!text_.substr(at_).starts_with("<!--")) {
      return false;
    }
    const std::size_t end = comment_end_.find(text_, "-->", at_ + 4);
    // A comment without an end reaches to the end of the page, as in MediaWiki.
    at_ = end == kNone ? text_.size() : end + 3;
    // One that has its line for itself takes the line with it.
    if (out_.ends_with('\n') && at_ < text_.size() && text_[at_] == '\n') {
      ++at_;
    }
    return true;
  }

  bool tag() {
    std::size_t i = at_ + 1;
    const bool closing = i < text_.size() && text_[i] == '/';
    i += closing ? 1 : 0;
    const std::size_t name_begin = i;
    while (i < lower_.size() && i - name_begin <= kMostName && is_letter(lower_[i])) {
      ++i;
    }
    const std::string_view name = std::string_view(lower_).substr(name_begin, i - name_begin);
    const Treatment how = treatment(name);
    if (how == Treatment::literal) {
      return false;
    }
    const std::size_t end = tag_end_.find(text_, ">", i);
    if (end == kNone || end - at_ > kMostTag) {
      return false;
    }
    const bool self_closing = text_[end - 1] == '/';
    at_ = end + 1;
    if (closing || self_closing) {
      leave(how, closing);
    } else {
      enter(how, name);
    }
    return true;
  }

  void leave(Treatment how, bool closing) {
    if (how == Treatment::line_break) {
      out_.push_back('\n');
    } else if (how == Treatment::raise && closing && !out_.empty() && out_.back() == '^') {
      out_.pop_back();
    }
  }

  void enter(Treatment how, std::string_view name) {
    switch (how) {
      case Treatment::line_break:
        out_.push_back('\n');
        break;
      case Treatment::raise:
        raise();
        break;
      case Treatment::drop_content:
      case Treatment::verbatim:
      case Treatment::formula:
        content(how, name);
        break;
      case Treatment::strip:
      case Treatment::literal:
        break;
    }
  }

  /// 10<sup>6</sup> must not become 106.
  void raise() {
    const char before = out_.empty() ? ' ' : out_.back();
    const bool power = (before >= '0' && before <= '9') || (before >= 'a' && before <= 'z') ||
                       (before >= 'A' && before <= 'Z') || before == ')' || before == '\'' ||
                       static_cast<unsigned char>(before) >= 0x80;
    const bool number = at_ < text_.size() && ((text_[at_] >= '0' && text_[at_] <= '9') || text_[at_] == '-' ||
                                               text_[at_] == '+' || static_cast<unsigned char>(text_[at_]) >= 0x80);
    if (power && number) {
      out_.push_back('^');
    }
  }

  /// What stands between a tag and its end; a tag without its end is passed over alone.
  void content(Treatment how, std::string_view name) {
    const std::string word = "</" + std::string(name);
    const std::size_t end = ends_[word].find(lower_, word, at_);
    const std::size_t close = end == kNone ? kNone : tag_end_.find(text_, ">", end);
    if (end == kNone || close == kNone) {
      return;
    }
    const std::string_view inside = text_.substr(at_, end - at_);
    if (how == Treatment::verbatim) {
      copy_verbatim(inside);
    } else if (how == Treatment::formula) {
      out_.push_back('$');
      copy_verbatim(trim(inside));
      out_.push_back('$');
    }
    at_ = close + 1;
  }

  std::string_view text_;
  std::string lower_;
  std::string out_;
  std::size_t at_ = 0;
  Finder comment_end_;
  Finder tag_end_;
  std::map<std::string, Finder> ends_;
};

}  // namespace

std::string strip_tags(std::string_view text) { return Tags(text).run(); }

}  // namespace trireme::wikitext
