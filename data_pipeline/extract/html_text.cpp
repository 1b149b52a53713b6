// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/extract/html_text.h"

#include <gumbo.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>

#include "data_pipeline/extract/html_guard.h"
#include "data_pipeline/extract/normalize.h"
#include "data_pipeline/extract/page_memory.h"

namespace trireme {
namespace {

constexpr std::size_t kMemoryBase = 32u << 20;  // a page may use that and 64 bytes for each of its own
constexpr std::size_t kMemoryPerByte = 64;

template <std::size_t N>
bool in(GumboTag tag, const std::array<GumboTag, N>& set) {
  return std::find(set.begin(), set.end(), tag) != set.end();
}

/// Elements that are no prose of the page.
bool is_dropped(GumboTag tag) {
  constexpr std::array set = {GUMBO_TAG_HEAD,     GUMBO_TAG_SCRIPT,   GUMBO_TAG_STYLE,  GUMBO_TAG_NAV,
                              GUMBO_TAG_HEADER,   GUMBO_TAG_FOOTER,   GUMBO_TAG_ASIDE,  GUMBO_TAG_NOSCRIPT,
                              GUMBO_TAG_IFRAME,   GUMBO_TAG_TEMPLATE, GUMBO_TAG_SVG,    GUMBO_TAG_CANVAS,
                              GUMBO_TAG_OBJECT,   GUMBO_TAG_EMBED,    GUMBO_TAG_APPLET, GUMBO_TAG_VIDEO,
                              GUMBO_TAG_AUDIO,    GUMBO_TAG_MAP,      GUMBO_TAG_BUTTON, GUMBO_TAG_SELECT,
                              GUMBO_TAG_OPTION,   GUMBO_TAG_TEXTAREA, GUMBO_TAG_MENU,   GUMBO_TAG_NOFRAMES,
                              GUMBO_TAG_FRAMESET, GUMBO_TAG_DATALIST};
  return in(tag, set);
}

bool is_paragraph(GumboTag tag) {
  constexpr std::array set = {GUMBO_TAG_P,    GUMBO_TAG_H1,     GUMBO_TAG_H2,      GUMBO_TAG_H3,
                              GUMBO_TAG_H4,   GUMBO_TAG_H5,     GUMBO_TAG_H6,      GUMBO_TAG_BLOCKQUOTE,
                              GUMBO_TAG_PRE,  GUMBO_TAG_TABLE,  GUMBO_TAG_UL,      GUMBO_TAG_OL,
                              GUMBO_TAG_DL,   GUMBO_TAG_HR,     GUMBO_TAG_ARTICLE, GUMBO_TAG_SECTION,
                              GUMBO_TAG_MAIN, GUMBO_TAG_FIGURE, GUMBO_TAG_FIELDSET};
  return in(tag, set);
}

bool is_block(GumboTag tag) {
  constexpr std::array set = {
      GUMBO_TAG_DIV,   GUMBO_TAG_LI,      GUMBO_TAG_DT,     GUMBO_TAG_DD,         GUMBO_TAG_TR,      GUMBO_TAG_ADDRESS,
      GUMBO_TAG_FORM,  GUMBO_TAG_CAPTION, GUMBO_TAG_CENTER, GUMBO_TAG_FIGCAPTION, GUMBO_TAG_BODY,    GUMBO_TAG_HTML,
      GUMBO_TAG_THEAD, GUMBO_TAG_TBODY,   GUMBO_TAG_TFOOT,  GUMBO_TAG_LEGEND,     GUMBO_TAG_SUMMARY, GUMBO_TAG_DETAILS};
  return in(tag, set) || is_paragraph(tag);
}

bool attribute_is(const GumboElement& element, const char* name, std::initializer_list<std::string_view> values) {
  const GumboAttribute* attribute = gumbo_get_attribute(&element.attributes, name);
  return attribute != nullptr &&
         std::find(values.begin(), values.end(), std::string_view(attribute->value)) != values.end();
}

/// What the page itself calls navigation, or does not show.
bool is_marked_off(const GumboElement& element) {
  if (element.attributes.length == 0) {
    return false;
  }
  return gumbo_get_attribute(&element.attributes, "hidden") != nullptr ||
         attribute_is(element, "aria-hidden", {"true"}) ||
         attribute_is(element, "role",
                      {"navigation", "banner", "contentinfo", "search", "complementary", "menu", "menubar", "toolbar"});
}

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }

/// Gathers text; breaks and blanks are owed until something readable follows.
class Lines {
 public:
  void owe_break(int lines) { breaks_ = std::max(breaks_, lines); }
  void owe_tab() { tab_ = true; }
  void owe_bullet() { bullet_ = true; }

  void add(std::string_view text, bool preformatted) {
    while (!text.empty()) {
      const std::size_t blanks =
          static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), &is_blank) - text.begin());
      if (blanks > 0) {
        add_blanks(text.substr(0, blanks), preformatted);
        text.remove_prefix(blanks);
        continue;
      }
      const std::size_t word =
          static_cast<std::size_t>(std::find_if(text.begin(), text.end(), &is_blank) - text.begin());
      settle();
      text_.append(text.substr(0, word));
      text.remove_prefix(word);
    }
  }

  std::string take() { return std::move(text_); }

 private:
  void add_blanks(std::string_view blanks, bool preformatted) {
    if (!preformatted) {
      blank_ = true;
      return;
    }
    const auto breaks = static_cast<int>(std::min<std::ptrdiff_t>(std::count(blanks.begin(), blanks.end(), '\n'), 2));
    owe_break(breaks);
    const std::size_t last = blanks.find_last_of('\n');
    indent_.assign(last == std::string_view::npos ? blanks : blanks.substr(last + 1));
  }

  void settle() {
    if (breaks_ > 0 && !text_.empty()) {
      text_.append(static_cast<std::size_t>(breaks_), '\n');
    } else if (!text_.empty() && text_.back() != '\n') {
      if (tab_) {
        text_.push_back('\t');
      } else if (blank_) {
        text_.push_back(' ');
      }
    }
    text_.append(indent_);
    if (bullet_) {
      text_.append("- ");
    }
    breaks_ = 0;
    indent_.clear();
    blank_ = tab_ = bullet_ = false;
  }

  std::string text_;
  int breaks_ = 0;
  bool blank_ = false;
  bool tab_ = false;
  bool bullet_ = false;
  std::string indent_;
};

/// A walk in document order that keeps its place in the tree itself: no recursion, no stack.
class Walk {
 public:
  Walk(const GumboNode* root, bool keep_forms) : root_(root), keep_forms_(keep_forms) {}

  std::string run() {
    const GumboNode* node = root_;
    while (node != nullptr) {
      const GumboVector* children = enter(*node) ? children_of(*node) : nullptr;
      if (children != nullptr && children->length > 0) {
        node = static_cast<const GumboNode*>(children->data[0]);
        continue;
      }
      node = next_after(node);
    }
    return lines_.take();
  }

  bool dropped_form() const { return dropped_form_; }

 private:
  static const GumboVector* children_of(const GumboNode& node) {
    return node.type == GUMBO_NODE_ELEMENT || node.type == GUMBO_NODE_TEMPLATE ? &node.v.element.children : nullptr;
  }

  const GumboNode* next_after(const GumboNode* node) {
    while (node != nullptr) {
      leave(*node);
      if (node == root_) {
        return nullptr;
      }
      const GumboVector* siblings = children_of(*node->parent);
      const std::size_t next = node->index_within_parent + 1;
      if (siblings != nullptr && next < siblings->length) {
        return static_cast<const GumboNode*>(siblings->data[next]);
      }
      node = node->parent;
    }
    return nullptr;
  }

  bool drops(const GumboNode& node) {
    if (node.type == GUMBO_NODE_TEMPLATE) {
      return true;
    }
    const GumboElement& element = node.v.element;
    if (element.tag == GUMBO_TAG_FORM && !keep_forms_) {
      dropped_form_ = true;
      return true;
    }
    return is_dropped(element.tag) || is_marked_off(element);
  }

  /// True when the children of `node` are to be visited.
  bool enter(const GumboNode& node) {
    if (node.type == GUMBO_NODE_TEXT || node.type == GUMBO_NODE_WHITESPACE || node.type == GUMBO_NODE_CDATA) {
      lines_.add(node.v.text.text, preformatted_ > 0);
      return false;
    }
    if ((node.type != GUMBO_NODE_ELEMENT && node.type != GUMBO_NODE_TEMPLATE) || drops(node)) {
      return false;
    }
    const GumboTag tag = node.v.element.tag;
    breaks(tag);
    if (tag == GUMBO_TAG_LI) {
      lines_.owe_bullet();
    } else if (tag == GUMBO_TAG_TD || tag == GUMBO_TAG_TH) {
      lines_.owe_tab();
    } else if (tag == GUMBO_TAG_PRE) {
      ++preformatted_;
    }
    return true;
  }

  void leave(const GumboNode& node) {
    if (node.type != GUMBO_NODE_ELEMENT || drops(node)) {
      return;
    }
    breaks(node.v.element.tag);
    if (node.v.element.tag == GUMBO_TAG_PRE) {
      --preformatted_;
    }
  }

  void breaks(GumboTag tag) {
    if (is_paragraph(tag)) {
      lines_.owe_break(2);
    } else if (tag == GUMBO_TAG_BR || is_block(tag)) {
      lines_.owe_break(1);
    }
  }

  const GumboNode* root_;
  bool keep_forms_;
  bool dropped_form_ = false;
  int preformatted_ = 0;
  Lines lines_;
};

/// The page that this thread has in the parser, else null.
thread_local PageMemory* page_in_parser = nullptr;

/// Where the parser may jump back to: its memory ran out, or one of its own assertions failed.
constexpr int kMemoryOut = 1;
constexpr int kAssertionFailed = 2;

/// gumbo_parse with memory from `memory`; null, with the reason, when it gave up. Nothing here has a destructor that a
/// jump would skip.
const GumboOutput* parse(std::string_view html, const GumboOptions& options, PageMemory& memory, const char*& reason) {
  switch (setjmp(memory.full)) {  // NOLINT
    case 0:
      break;
    case kMemoryOut:
      page_in_parser = nullptr;
      reason = "HTML tree above its memory limit";
      return nullptr;
    default:
      page_in_parser = nullptr;
      reason = "HTML that the parser cannot take";
      return nullptr;
  }
  page_in_parser = &memory;
  const GumboOutput* const page = gumbo_parse_with_options(&options, html.data(), html.size());
  page_in_parser = nullptr;
  return page;
}

}  // namespace

std::string_view html_to_text(std::string_view html, std::string& text) {
  text.clear();
  const std::string_view reason = refuse_html(html);
  if (!reason.empty()) {
    return reason;
  }
  PageMemory memory(kMemoryBase + kMemoryPerByte * html.size());
  GumboOptions options = kGumboDefaultOptions;
  options.userdata = &memory;
  options.allocator = [](void* user, std::size_t bytes) { return static_cast<PageMemory*>(user)->take(bytes); };
  options.deallocator = [](void* user, void* block) { static_cast<PageMemory*>(user)->give_back(block); };
  options.max_errors = 0;
  const char* given_up = "";
  const GumboOutput* const page = parse(html, options, memory, given_up);
  if (page == nullptr) {
    return given_up;
  }
  Walk walk(page->root, false);
  text = walk.run();
  if (walk.dropped_form()) {
    // Some servers put the whole page into one form.
    std::string whole = Walk(page->root, true).run();
    if (whole.size() / 8 > text.size()) {
      text = std::move(whole);
    }
  }
  // The page was valid; the parser turns some references out of range (&#x2013aaaaaaaa;) into stray bytes.
  if (valid_utf8_prefix(text) != text.size()) {
    text = replace_invalid_utf8(text);
  }
  return {};
}

}  // namespace trireme

// Distributions build gumbo with its assertions on, and some pages of the web trip them: that must cost the page, not
// the job. The C library's function is replaced for the whole program; outside the parser it does what the original
// does.
extern "C" [[noreturn]] void __assert_fail(const char* expression, const char* file, unsigned line,  // NOLINT
                                           const char* function) noexcept {
  using namespace trireme;
  if (page_in_parser != nullptr) {
    std::longjmp(page_in_parser->full, kAssertionFailed);  // NOLINT: only frames of C lie between here and setjmp
  }
  std::fprintf(stderr, "%s:%u: %s: Assertion `%s' failed.\n", file, line, function, expression);
  std::abort();
}
