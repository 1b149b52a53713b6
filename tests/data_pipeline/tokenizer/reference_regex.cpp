// SPDX-License-Identifier: Apache-2.0
// Recursive descent to a tree of nodes, matched with continuations: plain and slow.
#include "tests/data_pipeline/tokenizer/reference_regex.h"

#include <utf8proc.h>

#include <functional>
#include <stdexcept>

namespace trireme {
namespace {

using Text = std::vector<char32_t>;
using Test = std::function<bool(char32_t)>;
using Then = std::function<long(std::size_t)>;  // the end of the whole match from here, or -1

constexpr char32_t kInvalid = 0x110000;  // + byte

bool in_category(const std::string& name, char32_t code) {
  if (code >= kInvalid) return false;
  const std::string category = utf8proc_category_string(static_cast<utf8proc_int32_t>(code));
  return name.size() == 1 ? category[0] == name[0] : category == name;
}

bool is_space(char32_t code) {
  return (code >= 9 && code <= 13) || code == 0x85 || in_category("Z", code);  // White_Space is these and no more
}

char32_t fold(char32_t code) {
  if (code == 0x17F) return 's';
  if (code == 0x212A) return 'k';
  return code >= 'A' && code <= 'Z' ? code + 32 : code;
}

}  // namespace

struct ReferenceRegex::Node {
  enum Kind { one, sequence, choice, repeat, not_ahead, text_end } kind = sequence;
  Test test;
  std::vector<std::unique_ptr<Node>> parts;
  std::size_t least = 1;
  std::size_t most = 1;
  bool possessive = false;

  long match(const Text& text, std::size_t at, const Then& then) const {
    switch (kind) {
      case one:
        return at < text.size() && test(text[at]) ? then(at + 1) : -1;
      case sequence:
        return match_from(text, at, 0, then);
      case choice:
        for (const auto& part : parts) {
          if (const long end = part->match(text, at, then); end >= 0) return end;
        }
        return -1;
      case repeat:
        return possessive ? match_all(text, at, then) : match_more(text, at, 0, then);
      case not_ahead:
        return parts[0]->match(text, at, [](std::size_t end) { return static_cast<long>(end); }) < 0 ? then(at) : -1;
      case text_end:
        return at == text.size() ? then(at) : -1;
    }
    return -1;
  }

  long match_from(const Text& text, std::size_t at, std::size_t part, const Then& then) const {
    if (part == parts.size()) return then(at);
    return parts[part]->match(text, at, [&, part](std::size_t end) { return match_from(text, end, part + 1, then); });
  }

  long match_more(const Text& text, std::size_t at, std::size_t done, const Then& then) const {
    if (done < most) {
      const long end =
          parts[0]->match(text, at, [&](std::size_t next) { return match_more(text, next, done + 1, then); });
      if (end >= 0) return end;
    }
    return done >= least ? then(at) : -1;
  }

  long match_all(const Text& text, std::size_t at, const Then& then) const {
    std::size_t done = 0;
    for (; done < most; ++done) {
      const long end = parts[0]->match(text, at, [](std::size_t next) { return static_cast<long>(next); });
      if (end < 0) break;
      at = static_cast<std::size_t>(end);
    }
    return done >= least ? then(at) : -1;
  }
};

namespace {

using Node = ReferenceRegex::Node;

class Parser {
 public:
  explicit Parser(std::string_view pattern) : rest_(pattern) {}

  std::unique_ptr<Node> choice() {
    auto node = std::make_unique<Node>();
    node->kind = Node::choice;
    do {
      node->parts.push_back(sequence());
    } while (take("|"));
    return node;
  }
  bool done() const { return rest_.empty(); }

 private:
  bool take(std::string_view expected) {
    if (!rest_.starts_with(expected)) return false;
    rest_.remove_prefix(expected.size());
    return true;
  }
  char next() {
    if (rest_.empty()) throw std::invalid_argument("pattern ends early");
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }

  std::unique_ptr<Node> sequence() {
    auto node = std::make_unique<Node>();
    while (!rest_.empty() && rest_.front() != '|' && rest_.front() != ')') node->parts.push_back(repeated(atom()));
    return node;
  }

  std::unique_ptr<Node> repeated(std::unique_ptr<Node> inner) {
    std::size_t least = 0;
    std::size_t most = 1;
    if (take("*")) {
      most = std::string::npos;
    } else if (take("+")) {
      least = 1;
      most = std::string::npos;
    } else if (take("{1,3}")) {
      least = 1;
      most = 3;
    } else if (!take("?")) {
      return inner;
    }
    auto node = std::make_unique<Node>();
    node->kind = Node::repeat;
    node->least = least;
    node->most = most;
    node->possessive = take("+");
    node->parts.push_back(std::move(inner));
    return node;
  }

  std::unique_ptr<Node> atom() {
    auto node = std::make_unique<Node>();
    if (take("(?!")) {
      node->kind = Node::not_ahead;
      node->parts.push_back(choice());
      next();
      return node;
    }
    if (take("(?i:") || take("(?:")) {
      const bool before = any_case_;
      any_case_ = any_case_ || rest_.data()[-2] == 'i';
      node = choice();
      next();
      any_case_ = before;
      return node;
    }
    if (take("$")) {
      node->kind = Node::text_end;
      return node;
    }
    node->kind = Node::one;
    node->test = take("[") ? set() : single();
    return node;
  }

  Test set() {
    const bool inverted = take("^");
    std::vector<Test> any;
    while (!take("]")) any.push_back(single());
    return [=](char32_t code) {
      bool found = false;
      for (const Test& test : any) found = found || test(code);
      return found != inverted;
    };
  }

  Test single() {
    const char c = next();
    if (c != '\\') {
      const auto wanted = static_cast<char32_t>(c);
      if (any_case_) return [=](char32_t code) { return fold(code) == fold(wanted); };
      return [=](char32_t code) { return code == wanted; };
    }
    switch (next()) {
      case 's':
        return is_space;
      case 'S':
        return [](char32_t code) { return !is_space(code); };
      case 'r':
        return [](char32_t code) { return code == '\r'; };
      case 'n':
        return [](char32_t code) { return code == '\n'; };
      case 'p':
        break;
      default:
        throw std::invalid_argument("unknown escape");
    }
    next();
    std::string name;
    for (char letter = next(); letter != '}'; letter = next()) name += letter;
    return [=](char32_t code) { return in_category(name, code); };
  }

  std::string_view rest_;
  bool any_case_ = false;
};

}  // namespace

ReferenceRegex::ReferenceRegex(std::string_view pattern) {
  Parser parser(pattern);
  root_ = parser.choice();
  if (!parser.done()) throw std::invalid_argument("unbalanced pattern");
}

ReferenceRegex::~ReferenceRegex() = default;

std::vector<std::string> ReferenceRegex::pieces(std::string_view text) const {
  Text codes;
  std::vector<std::size_t> begins;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  for (std::size_t i = 0; i < text.size();) {
    utf8proc_int32_t code = 0;
    const auto length = utf8proc_iterate(bytes + i, static_cast<utf8proc_ssize_t>(text.size() - i), &code);
    begins.push_back(i);
    codes.push_back(length > 0 ? static_cast<char32_t>(code) : kInvalid + bytes[i]);
    i += length > 0 ? static_cast<std::size_t>(length) : 1;
  }
  begins.push_back(text.size());
  std::vector<std::string> found;
  for (std::size_t at = 0; at < codes.size();) {
    const long end = root_->match(codes, at, [](std::size_t e) { return static_cast<long>(e); });
    const std::size_t next = end < 0 ? at + 1 : static_cast<std::size_t>(end);
    found.emplace_back(text.substr(begins[at], begins[next] - begins[at]));
    at = next;
  }
  return found;
}

bool reference_knows(char32_t code) {
  return code < 0x110000 && utf8proc_category(static_cast<utf8proc_int32_t>(code)) != UTF8PROC_CATEGORY_CN;
}

}  // namespace trireme
