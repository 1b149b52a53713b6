// SPDX-License-Identifier: Apache-2.0
// The pre-tokenisers as state machines: each finds the end of the next piece, as its regular expression would, in one
// pass without backtracking. Templates, so that the encoder's and the counter's loops hold them inline.
#pragma once

#include <string_view>

#include "data_pipeline/tokenizer/pattern.h"
#include "data_pipeline/tokenizer/unicode_class.h"

namespace trireme {

/// Cuts text by one pattern. `end` is also what the patterns' look-ahead sees as the end of the text.
template <Pattern kPattern>
class PieceScanner {
 public:
  using Byte = std::uint8_t;

  PieceScanner(const Byte* end, const Byte* flags) : end_(end), flags_(flags) {}

  /// The end of the piece that begins at p < end: always beyond p.
  const Byte* next(const Byte* p) const {
    if constexpr (kPattern == Pattern::gpt2) {
      return next_gpt2(p);
    } else if constexpr (kPattern == Pattern::o200k) {
      return next_o200k(p);
    } else {
      return next_cl100k(p);
    }
  }

 private:
  Scanned at(const Byte* p) const { return scan_code_point(p, end_, flags_); }

  /// Past all code points from p with any of these flags.
  const Byte* run_of(const Byte* p, Byte wanted) const {
    while (p < end_) {
      const Scanned c = at(p);
      if (!(c.flags & wanted)) break;
      p += c.length;
    }
    return p;
  }

  /// Past [^\s\p{L}\p{N}]*.
  const Byte* symbols(const Byte* p) const {
    while (p < end_) {
      const Scanned c = at(p);
      if (c.flags & (kLetter | kNumber | kSpace)) break;
      p += c.length;
    }
    return p;
  }

  /// Past 's 't 'm 'd 're 've 'll at p, where *p is the apostrophe; p if none is there. Without case, 's is also 'ſ.
  template <bool kAnyCase>
  const Byte* contraction(const Byte* p) const {
    const std::ptrdiff_t left = end_ - p;
    if (left < 2) return p;
    const Byte fold = kAnyCase ? 0x20 : 0;
    const Byte a = p[1] | fold;
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return p + 2;
    if (left < 3) return p;
    const Byte b = p[2] | fold;
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return p + 3;
    if (kAnyCase && p[1] == 0xC5 && p[2] == 0xBF) return p + 3;
    return p;
  }

  /// The white-space alternatives, from a white-space code point at p. With kNewlines, \s*[\r\n]+ comes first. The last
  /// code point of a run before something else is left over, to begin the next piece.
  template <bool kNewlines>
  const Byte* spaces(const Byte* p) const {
    const Byte* q = p;
    const Byte* last = p;           // where the last code point of the run begins
    const Byte* newline = nullptr;  // past the last newline of the run
    while (q < end_) {
      const Scanned c = at(q);
      if (!(c.flags & kSpace)) break;
      last = q;
      q += c.length;
      if (kNewlines && (c.flags & kNewline)) newline = q;
    }
    if (newline) return newline;
    return q == end_ || last == p ? q : last;
  }

  /// Past up to kMost numbers.
  template <int kMost>
  const Byte* numbers(const Byte* p) const {
    for (int n = 0; n < kMost && p < end_; ++n) {
      const Scanned c = at(p);
      if (!(c.flags & kNumber)) break;
      p += c.length;
    }
    return p;
  }

  const Byte* next_gpt2(const Byte* p) const {
    const Byte* start = p;
    Scanned c = at(p);
    if (*p == ' ' && p + 1 < end_) {
      c = at(++p);
      if (c.flags & kSpace) return spaces<false>(start);
    }
    if (c.flags & kLetter) return run_of(p + c.length, kLetter);
    if (c.flags & kNumber) return run_of(p + c.length, kNumber);
    if (c.flags & kSpace) return spaces<false>(start);
    if (*start == '\'') {
      const Byte* q = contraction<false>(start);
      if (q != start) return q;
    }
    return symbols(p + c.length);
  }

  const Byte* next_cl100k(const Byte* p) const {
    const Scanned c = at(p);
    if (c.flags & kLetter) return run_of(p + c.length, kLetter);
    if (c.flags & kNumber) return numbers < kPattern == Pattern::qwen2 ? 1 : 3 > (p);
    if (*p == '\'') {
      const Byte* q = contraction<true>(p);
      if (q != p) return q;
    }
    return after_lead(p, c, [this](const Byte*, const Byte* q, Scanned d) {
      return d.flags & kLetter ? run_of(q + d.length, kLetter) : nullptr;
    });
  }

  /// What cl100k and o200k share, from a code point that is neither letter nor number: an optional lead before a word
  /// (found by `word(p, q, d)`, null if there is none; d is the code point at q, behind the lead), then symbols or
  /// space.
  template <class Word>
  const Byte* after_lead(const Byte* p, Scanned c, Word word) const {
    const Byte* q = p + c.length;
    const Scanned d = q < end_ ? at(q) : Scanned{kSpace, 0};
    if (!(c.flags & kNewline)) {
      if (const Byte* found = word(p, q, d)) return found;
    }
    if (!(c.flags & kSpace)) return trailing_newlines(symbols(q));
    if (*p == ' ' && !(d.flags & (kLetter | kNumber | kSpace))) return trailing_newlines(symbols(q + d.length));
    return spaces<true>(p);
  }

  /// Past [\r\n]* (o200k: [\r\n/]*), which follows symbols.
  const Byte* trailing_newlines(const Byte* p) const {
    while (p < end_ && (*p == '\n' || *p == '\r' || (kPattern == Pattern::o200k && *p == '/'))) ++p;
    return p;
  }

  const Byte* next_o200k(const Byte* p) const {
    const Scanned c = at(p);
    if (c.flags & kLetter) return cased_word(p, p);
    if (c.flags & kNumber) return numbers<3>(p);
    return after_lead(p, c, [this](const Byte* lead, const Byte* q, Scanned d) -> const Byte* {
      const bool mark = at(lead).flags & kMark;
      if (!mark) return d.flags & (kUpper | kLower) ? cased_word(q, q) : nullptr;
      return cased_word(q, lead);
    });
  }

  /// The first end of upper* lower+ from `from`; null if nothing there matches. `upper_end` is set to where upper*
  /// ends.
  const Byte* lower_word(const Byte* from, const Byte** upper_end) const {
    const Byte* q = from;
    const Byte* shared = nullptr;  // past the last code point that is in both classes: what upper* can give back
    Scanned c{0, 0};
    while (q < end_) {
      c = at(q);
      if (!(c.flags & kUpper)) break;
      q += c.length;
      if (c.flags & kLower) shared = q;
    }
    *upper_end = q;
    if (q < end_ && (c.flags & kLower)) return run_of(q, kLower);
    return shared;
  }

  /// The two word alternatives of o200k with the lead already taken (words begin at q) or, where the lead is a mark and
  /// may itself be part of the word, not taken (words begin at `unled`; otherwise unled == q). Never null: with q ==
  /// unled a letter or mark is there; with a mark as lead, the mark alone is a word.
  const Byte* cased_word(const Byte* q, const Byte* unled) const {
    const Byte* upper_end = q;
    const Byte* end = lower_word(q, &upper_end);
    const Byte* unled_upper_end = upper_end;
    if (!end && unled != q) end = lower_word(unled, &unled_upper_end);
    if (!end) end = upper_end;
    if (end < end_ && *end == '\'') return contraction<true>(end);
    return end;
  }

  const Byte* end_;
  const Byte* flags_;
};

/// Calls visit(std::string_view) for each piece of the text in order; together they are the text.
template <Pattern kPattern, class Visit>
void for_each_piece(std::string_view text, Visit&& visit) {
  const auto* p = reinterpret_cast<const std::uint8_t*>(text.data());
  const std::uint8_t* end = p + text.size();
  const PieceScanner<kPattern> scanner(end, unicode_flags());
  while (p < end) {
    const std::uint8_t* q = scanner.next(p);
    visit(std::string_view(reinterpret_cast<const char*>(p), static_cast<std::size_t>(q - p)));
    p = q;
  }
}

/// As above, with the pattern known at run time.
template <class Visit>
void for_each_piece(Pattern pattern, std::string_view text, Visit&& visit) {
  switch (pattern) {
    case Pattern::gpt2:
      return for_each_piece<Pattern::gpt2>(text, visit);
    case Pattern::cl100k:
      return for_each_piece<Pattern::cl100k>(text, visit);
    case Pattern::qwen2:
      return for_each_piece<Pattern::qwen2>(text, visit);
    case Pattern::o200k:
      return for_each_piece<Pattern::o200k>(text, visit);
  }
}

}  // namespace trireme
