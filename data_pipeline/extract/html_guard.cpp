// SPDX-License-Identifier: Apache-2.0
// The parser walks its stack of open elements at nearly every tag and compares each attribute with all before it. This
// imitates the stack (WHATWG HTML, section 13.2.4.2) closely enough to bound it: where in doubt it keeps more open.
#include "data_pipeline/extract/html_guard.h"

#include <gumbo.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace trireme {
namespace {

constexpr std::size_t kMostOpen = 512;
constexpr std::size_t kMostAttributes = 256;

template <std::size_t N>
bool in(GumboTag tag, const std::array<GumboTag, N>& set) {
  return std::find(set.begin(), set.end(), tag) != set.end();
}

bool is_void(GumboTag tag) {
  constexpr std::array set = {GUMBO_TAG_AREA, GUMBO_TAG_BASE,  GUMBO_TAG_BR,     GUMBO_TAG_COL,    GUMBO_TAG_EMBED,
                              GUMBO_TAG_HR,   GUMBO_TAG_IMG,   GUMBO_TAG_INPUT,  GUMBO_TAG_KEYGEN, GUMBO_TAG_LINK,
                              GUMBO_TAG_META, GUMBO_TAG_PARAM, GUMBO_TAG_SOURCE, GUMBO_TAG_TRACK,  GUMBO_TAG_WBR,
                              GUMBO_TAG_HTML, GUMBO_TAG_BODY,  GUMBO_TAG_HEAD};
  return in(tag, set);
}

/// An end tag outside these cannot close an element that contains them.
bool is_barrier(GumboTag tag) {
  constexpr std::array set = {GUMBO_TAG_APPLET, GUMBO_TAG_CAPTION, GUMBO_TAG_TABLE,  GUMBO_TAG_TD,
                              GUMBO_TAG_TH,     GUMBO_TAG_MARQUEE, GUMBO_TAG_OBJECT, GUMBO_TAG_TEMPLATE,
                              GUMBO_TAG_SVG,    GUMBO_TAG_MATH,    GUMBO_TAG_SELECT, GUMBO_TAG_BUTTON};
  return in(tag, set);
}

/// Elements whose content is bytes up to their end tag.
bool is_raw(GumboTag tag) {
  constexpr std::array set = {GUMBO_TAG_SCRIPT,  GUMBO_TAG_STYLE,    GUMBO_TAG_TEXTAREA,
                              GUMBO_TAG_TITLE,   GUMBO_TAG_NOSCRIPT, GUMBO_TAG_IFRAME,
                              GUMBO_TAG_NOEMBED, GUMBO_TAG_NOFRAMES, GUMBO_TAG_XMP};
  return in(tag, set);
}

/// Elements that a new one of their group closes when nothing of a list, table or barrier lies between.
int implied_group(GumboTag tag) {
  switch (tag) {
    case GUMBO_TAG_P:
      return 1;
    case GUMBO_TAG_LI:
      return 2;
    case GUMBO_TAG_DT:
    case GUMBO_TAG_DD:
      return 3;
    case GUMBO_TAG_OPTION:
    case GUMBO_TAG_OPTGROUP:
      return 4;
    case GUMBO_TAG_TD:
    case GUMBO_TAG_TH:
      return 5;
    case GUMBO_TAG_TR:
      return 6;
    case GUMBO_TAG_THEAD:
    case GUMBO_TAG_TBODY:
    case GUMBO_TAG_TFOOT:
    case GUMBO_TAG_CAPTION:
    case GUMBO_TAG_COLGROUP:
      return 7;
    case GUMBO_TAG_RB:
    case GUMBO_TAG_RT:
    case GUMBO_TAG_RP:
    case GUMBO_TAG_RTC:
      return 8;
    case GUMBO_TAG_A:
      return 9;
    default:
      return 0;
  }
}

bool stops_group(GumboTag open, int group) {
  switch (group) {
    case 2:
      return open == GUMBO_TAG_UL || open == GUMBO_TAG_OL || is_barrier(open);
    case 3:
      return open == GUMBO_TAG_DL || is_barrier(open);
    case 4:
      return open == GUMBO_TAG_SELECT;
    case 5:
    case 6:
    case 7:
      return open == GUMBO_TAG_TABLE || open == GUMBO_TAG_TEMPLATE;
    default:
      return is_barrier(open);
  }
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_letter(char c) { return lower(c) >= 'a' && lower(c) <= 'z'; }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r'; }

class Guard {
 public:
  explicit Guard(std::string_view html) : html_(html) {}

  std::string_view run() {
    while ((at_ = html_.find('<', at_)) != std::string_view::npos && ++at_ < html_.size()) {
      if (html_[at_] == '!' || html_[at_] == '?') {
        pass_declaration();
      } else if (html_[at_] == '/' && at_ + 1 < html_.size() && is_letter(html_[at_ + 1])) {
        ++at_;
        const GumboTag tag = name();
        attributes();
        close(tag);
      } else if (is_letter(html_[at_])) {
        const GumboTag tag = name();
        if (attributes() > kMostAttributes) {
          return "HTML tag with too many attributes";
        }
        open(tag);
        if (open_.size() > kMostOpen) {
          return "HTML nested too deeply";
        }
      }
    }
    return {};
  }

 private:
  GumboTag name() {
    const std::size_t begin = at_;
    while (at_ < html_.size() && !is_blank(html_[at_]) && html_[at_] != '>' && html_[at_] != '/') {
      ++at_;
    }
    const std::size_t size = at_ - begin;
    // The library knows no name longer than that; an unknown one nests like any other.
    return size > 20 ? GUMBO_TAG_UNKNOWN : gumbo_tagn_enum(html_.data() + begin, static_cast<unsigned>(size));
  }

  /// Goes past the tag's ">" and returns the number of attributes.
  std::size_t attributes() {
    std::size_t count = 0;
    while (at_ < html_.size() && html_[at_] != '>') {
      if (is_blank(html_[at_]) || html_[at_] == '/') {
        ++at_;
        continue;
      }
      ++count;
      attribute();
    }
    at_ = std::min(at_ + 1, html_.size());
    return count;
  }

  void attribute() {
    const auto skip_until = [&](auto stop) {
      while (at_ < html_.size() && !stop(html_[at_])) {
        ++at_;
      }
    };
    ++at_;  // the first character of a name may be "="
    skip_until([](char c) { return is_blank(c) || c == '/' || c == '>' || c == '='; });
    const std::size_t name_end = at_;
    skip_until([](char c) { return !is_blank(c); });
    if (at_ >= html_.size() || html_[at_] != '=') {
      at_ = name_end;
      return;
    }
    ++at_;
    skip_until([](char c) { return !is_blank(c); });
    if (at_ >= html_.size() || html_[at_] == '>') {
      return;
    }
    const char quote = html_[at_];
    if (quote == '"' || quote == '\'') {
      at_ = std::min(html_.find(quote, at_ + 1), html_.size());
      at_ = std::min(at_ + 1, html_.size());
    } else {
      skip_until([](char c) { return is_blank(c) || c == '>'; });
    }
  }

  void pass_declaration() {
    if (html_.substr(at_, 3) == "!--") {
      // "<!-->" is an empty comment; "--!>" ends one too.
      std::size_t end = html_.find("-->", at_ + 1);
      const std::size_t bang = end == std::string_view::npos ? end : html_.substr(0, end).find("--!>", at_ + 3);
      end = std::min(end, bang);
      at_ = end == std::string_view::npos ? html_.size() : end + 3;
    } else {
      at_ = std::min(html_.find('>', at_), html_.size());
    }
  }

  bool foreign() const { return foreign_ > 0; }

  void push(GumboTag tag) {
    open_.push_back(tag);
    foreign_ += tag == GUMBO_TAG_SVG || tag == GUMBO_TAG_MATH ? 1u : 0u;
  }

  void pop_to(std::size_t size) {
    for (; open_.size() > size; open_.pop_back()) {
      foreign_ -= open_.back() == GUMBO_TAG_SVG || open_.back() == GUMBO_TAG_MATH ? 1u : 0u;
    }
  }

  void open(GumboTag tag) {
    if (is_void(tag)) {
      return;
    }
    if (is_raw(tag) && !foreign()) {
      pass_raw(tag);
      return;
    }
    if (const int group = implied_group(tag); group != 0) {
      for (std::size_t i = open_.size(); i > 0 && !stops_group(open_[i - 1], group); --i) {
        if (implied_group(open_[i - 1]) == group) {
          pop_to(i - 1);
          break;
        }
      }
    }
    push(tag);
  }

  /// Each "</" is looked at once: an element without its end tag runs to the end of the page.
  void pass_raw(GumboTag tag) {
    const std::string_view word = gumbo_normalized_tagname(tag);
    while ((at_ = html_.find("</", at_)) != std::string_view::npos) {
      at_ += 2;
      const std::string_view found = html_.substr(at_, word.size());
      if (found.size() == word.size() &&
          std::equal(found.begin(), found.end(), word.begin(), [](char a, char b) { return lower(a) == b; })) {
        return;
      }
    }
    at_ = html_.size();
  }

  void close(GumboTag tag) {
    for (std::size_t i = open_.size(); i > 0; --i) {
      const GumboTag top = open_[i - 1];
      if (top == tag && tag != GUMBO_TAG_UNKNOWN) {
        pop_to(i - 1);
        return;
      }
      if (tag == GUMBO_TAG_UNKNOWN && top == tag) {
        pop_to(i - 1);
        return;
      }
      const bool table_part = implied_group(tag) >= 5 && implied_group(tag) <= 7;
      if (is_barrier(top) && tag != GUMBO_TAG_TABLE && !(table_part && top != GUMBO_TAG_TABLE)) {
        return;
      }
    }
  }

  std::string_view html_;
  std::size_t at_ = 0;
  std::vector<GumboTag> open_;
  std::size_t foreign_ = 0;
};

}  // namespace

std::string_view refuse_html(std::string_view html) { return Guard(html).run(); }

}  // namespace trireme
