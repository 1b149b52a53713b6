// SPDX-License-Identifier: Apache-2.0
// The last step of wikitext: a line at a time, from markup that is left to plain text.
#include <algorithm>
#include <vector>

#include "data_pipeline/extract/entities.h"
#include "data_pipeline/extract/wikitext_parts.h"

namespace trireme::wikitext {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

std::size_t run_length(std::string_view text, std::size_t at) {
  return std::min(text.find_first_not_of(text[at], at), text.size()) - at;
}

/// __TOC__ and its like at text[at]: their length, else 0.
std::size_t switch_word(std::string_view text, std::size_t at) {
  const std::size_t end = std::min(text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ", at + 2), text.size());
  return end > at + 2 && end - at < 40 && text.substr(end, 2) == "__" ? end + 2 - at : 0;
}

/// Bold and italic marks, references, stray brackets, blanks.
class Inline {
 public:
  explicit Inline(std::string_view line) : line_(line) {}

  std::string run() {
    while (at_ < line_.size()) {
      step();
    }
    while (!out_.empty() && out_.back() == ' ') {
      out_.pop_back();
    }
    return std::move(out_);
  }

 private:
  void step() {
    const char c = line_[at_];
    switch (c) {
      case '\'':
        apostrophes();
        return;
      case '[':
      case ']':
      case '{':
      case '}':
        brackets(c);
        return;
      case ' ':
      case '\t':
        blank();
        ++at_;
        return;
      case '&':
        reference();
        return;
      case '_': {
        const std::size_t size = line_.substr(at_, 2) == "__" ? switch_word(line_, at_) : 0;
        out_.append(size == 0 ? 1 : 0, '_');
        at_ += std::max<std::size_t>(size, 1);
        return;
      }
      default:
        put(c);
        ++at_;
    }
  }

  void put(char c) {
    const std::size_t i = kStandIns.find(c);
    out_.push_back(i == kNone ? c : kMarkup[i]);
  }

  void blank() {
    if (!out_.empty() && out_.back() != ' ') {
      out_.push_back(' ');
    }
  }

  /// Two: italic, three: bold, five: both; four are an apostrophe and bold, more than five end in five.
  void apostrophes() {
    const std::size_t run = run_length(line_, at_);
    std::size_t literal = run == 1 || run == 4 ? 1 : 0;
    literal = run > 5 ? run - 5 : literal;
    out_.append(literal, '\'');
    at_ += run;
  }

  void brackets(char c) {
    const std::size_t run = run_length(line_, at_);
    out_.append(run == 1 ? 1 : 0, c);
    at_ += run;
  }

  void reference() {
    const std::size_t before = out_.size();
    std::size_t size = decode_entity(line_.substr(at_), out_);
    if (size == 0) {
      out_.push_back('&');
      size = 1;
    } else if (out_.size() == before + 1 && out_.back() == ' ') {
      out_.pop_back();
      blank();
    }
    at_ += size;
  }

  std::string_view line_;
  std::string out_;
  std::size_t at_ = 0;
};

/// What templates leave behind when they go: "(; born 1960)" and "( )" and "word ,".
std::string tidy(std::string_view line) {
  std::string out;
  out.reserve(line.size());
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '(') {
      const std::size_t next = line.find_first_not_of(" ,;:", i + 1);
      if (next != kNone && line[next] == ')') {
        while (!out.empty() && out.back() == ' ') {
          out.pop_back();
        }
        i = next;
        continue;
      }
      const std::size_t first = line.find_first_not_of(' ', i + 1);
      out.push_back('(');
      if (first != kNone && (line[first] == ',' || line[first] == ';') && next != kNone) {
        i = next - 1;
      }
      continue;
    }
    const bool closes = c == ',' || c == ')' || c == ';';
    if (closes && out.size() > 1 && out.back() == ' ' && out[out.size() - 2] != ' ') {
      out.pop_back();
    }
    out.push_back(c);
  }
  return out;
}

struct Heading {
  std::size_t level;
  std::string text;
};

class Page {
 public:
  void add(std::string_view line) {
    line = trim(line);
    if (line.empty() || line.starts_with("----")) {
      gap_ = true;
      return;
    }
    if (line.front() == '=' && line.back() == '=' && heading(line)) {
      return;
    }
    // Rows of a table that was never closed.
    if (line.front() == '|' || line.starts_with("{|") || line.starts_with("! ")) {
      return;
    }
    const std::size_t markers = std::min(line.find_first_not_of("*#:;"), line.size());
    const bool item = line.substr(0, markers).find_first_of("*#") != kNone;
    const std::string text = tidy(Inline(trim(line.substr(markers))).run());
    if (text.find_first_not_of(" ,;:.-") != kNone) {
      put(item ? "- " + text : text);
    }
  }

  std::string take() { return std::move(out_); }

 private:
  bool heading(std::string_view line) {
    const std::size_t left = run_length(line, 0);
    if (left == line.size()) {
      return false;
    }
    const std::size_t right = line.size() - 1 - line.find_last_not_of('=');
    const std::size_t level = std::min({left, right, std::size_t{6}});
    std::string text = tidy(Inline(trim(line.substr(level, line.size() - 2 * level))).run());
    // A section of the same level or above begins: those that were waiting for content had none.
    while (!waiting_.empty() && waiting_.back().level >= level) {
      waiting_.pop_back();
    }
    waiting_.push_back({level, std::move(text)});
    return true;
  }

  void put(std::string_view text) {
    for (const Heading& heading : waiting_) {
      if (!heading.text.empty()) {
        out_.append(out_.empty() ? "" : "\n").append(heading.text).push_back('\n');
        gap_ = false;
      }
    }
    waiting_.clear();
    if (gap_ && !out_.empty()) {
      out_.push_back('\n');
    }
    gap_ = false;
    out_.append(text).push_back('\n');
  }

  std::string out_;
  std::vector<Heading> waiting_;
  bool gap_ = false;
};

}  // namespace

std::string clean_lines(std::string_view text) {
  Page page;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    page.add(text.substr(0, end));
    text.remove_prefix(end == kNone ? text.size() : end + 1);
  }
  return page.take();
}

}  // namespace trireme::wikitext
