// SPDX-License-Identifier: Apache-2.0
// Templates, links and tables of wikitext in one pass with a bounded stack of what is open. Text goes to the output at
// once; what closes rewrites its own part of it, so that markup that never closes simply stays as text.
#include "data_pipeline/extract/wikitext.h"

#include <algorithm>

#include "data_pipeline/extract/wikitext_parts.h"

namespace trireme {
namespace wikitext {
namespace {

constexpr std::size_t kNone = std::string_view::npos;
constexpr std::size_t kMostOpen = 40;  // MediaWiki stops expanding at that depth; each level may move a byte once
constexpr std::size_t kMostParts = 2000;
constexpr std::size_t kMostTemplateName = 64;

enum class Kind { templ, parameter, link, external, table };

struct Frame {
  Kind kind;
  std::size_t open;         // where its opening mark stands in the output
  std::size_t begin;        // what follows the mark
  std::size_t first_split;  // of its bars in splits_
};

bool starts_url(std::string_view text) {
  for (const std::string_view scheme : {"http://", "https://", "//", "ftp://", "mailto:", "news:", "irc://"}) {
    if (text.starts_with(scheme)) {
      return true;
    }
  }
  return false;
}

/// A name that can stand in a manifest.
std::string counted_name(std::string_view name) {
  if (name.starts_with('#')) {
    name = trim(name.substr(0, name.find(':')));
  }
  if (name.find_first_of("\n{}[]<>|") != kNone) {
    return "(malformed)";
  }
  std::size_t size = std::min(name.size(), kMostTemplateName);
  while (size > 0 && size < name.size() && (static_cast<unsigned char>(name[size]) & 0xc0u) == 0x80) {
    --size;
  }
  return std::string(name.substr(0, size));
}

class Structure {
 public:
  Structure(std::string_view text, const WikitextOptions& options, TemplateCounts& dropped)
      : text_(text), options_(options), dropped_(dropped) {
    out_.reserve(text.size());
  }

  std::string run() {
    while (at_ < text_.size()) {
      const std::size_t next = std::min(text_.find_first_of("{}[]|\n", at_), text_.size());
      out_.append(text_.substr(at_, next - at_));
      at_ = next;
      if (at_ < text_.size()) {
        special();
      }
    }
    // A table that was never closed reaches to the end of the page; everything else that is open stays as text.
    for (const Frame& frame : frames_) {
      if (frame.kind == Kind::table) {
        out_.resize(frame.open);
        break;
      }
    }
    return std::move(out_);
  }

 private:
  std::string_view rest() const { return text_.substr(at_); }
  bool top_is(Kind kind) const { return !frames_.empty() && frames_.back().kind == kind; }

  /// How many of `c` stand here, up to four: more make no difference, and a long run must not be counted again and
  /// again.
  std::size_t run_of(char c) const {
    const std::string_view here = rest().substr(0, 4);
    return std::min(here.find_first_not_of(c), here.size());
  }

  void literal(std::size_t n) {
    out_.append(text_.substr(at_, n));
    at_ += n;
  }

  void special() {
    switch (text_[at_]) {
      case '{':
        open_braces();
        break;
      case '}':
        close_braces();
        break;
      case '[':
        open_brackets();
        break;
      case ']':
        close_brackets();
        break;
      case '|':
        bar();
        break;
      default:
        while (top_is(Kind::external)) {
          pop();  // an external link does not cross a line
        }
        literal(1);
    }
  }

  void push(Kind kind, std::size_t mark) {
    if (frames_.size() >= kMostOpen) {
      literal(mark);
      return;
    }
    const std::size_t open = out_.size();
    literal(mark);
    frames_.push_back({kind, open, out_.size(), splits_.size()});
    braces_ += kind == Kind::templ || kind == Kind::parameter ? 1u : 0u;
    tables_ += kind == Kind::table ? 1u : 0u;
  }

  /// Forgets the innermost frame; its text stays.
  Frame pop() {
    const Frame frame = frames_.back();
    frames_.pop_back();
    braces_ -= frame.kind == Kind::templ || frame.kind == Kind::parameter ? 1u : 0u;
    tables_ -= frame.kind == Kind::table ? 1u : 0u;
    return frame;
  }

  bool at_line_start() const {
    std::size_t i = at_;
    for (std::size_t seen = 0; i > 0 && seen < 16 && (text_[i - 1] == ' ' || text_[i - 1] == ':'); ++seen) {
      --i;
    }
    return i == 0 || text_[i - 1] == '\n';
  }

  void open_braces() {
    const std::size_t run = run_of('{');
    if (run == 1) {
      if (rest().starts_with("{|") && at_line_start()) {
        push(Kind::table, 2);
      } else {
        literal(1);
      }
    } else if (run == 3) {
      push(Kind::parameter, 3);
    } else {
      push(Kind::templ, 2);
    }
  }

  void close_braces() {
    const std::size_t run = run_of('}');
    if (run < 2 || braces_ == 0) {
      literal(run);
      return;
    }
    while (!top_is(Kind::templ) && !top_is(Kind::parameter)) {
      pop();  // a link or table that was not closed within the template
    }
    if (top_is(Kind::parameter) && run >= 3) {
      at_ += 3;
      close_parameter(pop());
    } else {
      at_ += 2;
      close_template(pop());
    }
  }

  void bar() {
    if (rest().starts_with("|}") && tables_ > 0 && at_line_start()) {
      std::size_t i = frames_.size();
      while (i > 0 && (frames_[i - 1].kind == Kind::link || frames_[i - 1].kind == Kind::external)) {
        --i;
      }
      if (i > 0 && frames_[i - 1].kind == Kind::table) {
        while (!top_is(Kind::table)) {
          pop();
        }
        const Frame table = pop();
        replace(table, {});
        at_ += 2;
        return;
      }
    }
    if (!frames_.empty() && !top_is(Kind::external) && !top_is(Kind::table)) {
      splits_.push_back(out_.size());
    }
    literal(1);
  }

  void open_brackets() {
    if (rest().starts_with("[[")) {
      push(Kind::link, 2);
    } else if (starts_url(rest().substr(1, 16)) && !top_is(Kind::external)) {
      push(Kind::external, 1);
    } else {
      literal(1);
    }
  }

  void close_brackets() {
    if (top_is(Kind::external)) {
      ++at_;
      close_external(pop());
    } else if (rest().starts_with("]]") && top_is(Kind::link)) {
      at_ += 2;
      close_link(pop());
    } else {
      literal(1);
    }
  }

  /// The parts between the bars of `frame`.
  std::vector<std::string_view> parts(const Frame& frame) {
    std::vector<std::string_view> result;
    const std::string_view out = out_;
    std::size_t begin = frame.begin;
    for (std::size_t i = frame.first_split; i < splits_.size() && result.size() < kMostParts; ++i) {
      result.push_back(out.substr(begin, splits_[i] - begin));
      begin = splits_[i] + 1;
    }
    result.push_back(out.substr(begin));
    return result;
  }

  void replace(const Frame& frame, std::string_view text) {
    const std::string copy(text);
    out_.resize(frame.open);
    out_.append(copy);
    splits_.resize(frame.first_split);
  }

  void close_template(const Frame& frame) {
    const TemplateCall call = make_call(parts(frame));
    const std::optional<std::string> text = evaluate(call);
    if (!text.has_value()) {
      ++dropped_[counted_name(call.name)];
    }
    replace(frame, text.value_or(""));
  }

  void close_parameter(const Frame& frame) {
    const auto all = parts(frame);
    replace(frame, all.size() > 1 ? all[1] : std::string_view{});
  }

  void close_external(const Frame& frame) {
    const std::string_view content = std::string_view(out_).substr(frame.begin);
    const std::size_t space = content.find_first_of(" \t");
    replace(frame, space == kNone ? std::string_view{} : trim(content.substr(space)));
  }

  void close_link(const Frame& frame) {
    const auto all = parts(frame);
    std::string_view target = trim(all[0]);
    if (target.empty() || target.find_first_of("\n[]{}<>") != kNone) {
      splits_.resize(frame.first_split);
      out_.append("]]");  // not a link for MediaWiki either
      return;
    }
    const bool visible = target.starts_with(':');
    target = trim(target.substr(visible ? 1 : 0));
    const std::string space = link_namespace(target);
    if (!visible && is_silent(space)) {
      replace(frame, {});
      return;
    }
    if (all.size() == 1) {
      const bool language = !visible && is_language(space);
      replace(frame, language ? std::string_view{} : target.substr(target.starts_with('#') ? 1 : 0));
      return;
    }
    const std::size_t label = splits_[frame.first_split] + 1;
    const std::string_view text = trim(std::string_view(out_).substr(label));
    replace(frame, text.empty() ? target.substr(space.empty() ? 0 : space.size() + 1) : text);
  }

  /// The lower-case namespace before the colon.
  static std::string link_namespace(std::string_view target) {
    const std::size_t colon = target.substr(0, 64).find(':');
    return colon == kNone ? std::string() : lower_ascii(target.substr(0, colon));
  }

  bool is_silent(std::string_view space) const {
    const auto& names = options_.silent_namespaces;
    return std::find(names.begin(), names.end(), trim(space)) != names.end();
  }

  /// de, simple, zh-yue: the same article in another language stands in the margin, not in the text.
  static bool is_language(std::string_view space) {
    const std::size_t letters = std::min(space.find_first_not_of("abcdefghijklmnopqrstuvwxyz"), space.size());
    const bool code = letters >= 2 && letters <= 3 && (letters == space.size() || space[letters] == '-');
    return code || space == "simple";
  }

  std::string_view text_;
  const WikitextOptions& options_;
  TemplateCounts& dropped_;
  std::size_t at_ = 0;
  std::string out_;
  std::vector<Frame> frames_;
  std::vector<std::size_t> splits_;
  std::size_t braces_ = 0;  // open templates and parameters
  std::size_t tables_ = 0;
};

}  // namespace

std::string resolve_structure(std::string_view text, const WikitextOptions& options, TemplateCounts& dropped) {
  return Structure(text, options, dropped).run();
}

}  // namespace wikitext

std::string wikitext_to_text(std::string_view wikitext, const WikitextOptions& options, TemplateCounts& dropped) {
  const std::string untagged = wikitext::strip_tags(wikitext);
  return wikitext::clean_lines(wikitext::resolve_structure(untagged, options, dropped));
}

}  // namespace trireme
