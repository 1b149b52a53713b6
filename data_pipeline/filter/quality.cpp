// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/filter/quality.h"

#include <algorithm>
#include <array>
#include <bit>

#include "data_pipeline/tokenizer/unicode_class.h"

namespace trireme {
namespace {

constexpr std::array<std::string_view, 8> kStopWords = {"the", "be", "to", "of", "and", "that", "have", "with"};
constexpr std::string_view kEllipsis = "\xe2\x80\xa6";    // U+2026
constexpr std::string_view kBullet = "\xe2\x80\xa2";      // U+2022
constexpr std::string_view kApostrophe = "\xe2\x80\x99";  // U+2019

class Words {
 public:
  explicit Words(std::string_view text)
      : p_(reinterpret_cast<const std::uint8_t*>(text.data())), end_(p_ + text.size()) {}

  void count(TextStatistics& sums) {
    while (p_ < end_) {
      const Scanned c = scan_code_point(p_, end_, flags_);
      if ((c.flags & kWord) != 0) {
        count_word(sums);
      } else {
        p_ += c.length;
        ++sums.characters;
      }
    }
    sums.stop_words = static_cast<std::uint64_t>(std::popcount(seen_));
  }

 private:
  static constexpr std::uint8_t kWord = kLetter | kMark | kNumber;

  void count_word(TextStatistics& sums) {
    const std::uint8_t* const begin = p_;
    std::uint64_t characters = 0;
    std::uint8_t flags = 0;
    for (;;) {
      const Scanned c = p_ < end_ ? scan_code_point(p_, end_, flags_) : Scanned{0, 0};
      if ((c.flags & kWord) == 0 && !joins(c.length)) break;
      flags |= c.flags;
      p_ += c.length;
      ++characters;
    }
    sums.characters += characters;
    sums.word_characters += characters;
    ++sums.words;
    if ((flags & kLetter) != 0) ++sums.alphabetic_words;
    const std::string_view word(reinterpret_cast<const char*>(begin), static_cast<std::size_t>(p_ - begin));
    const auto* const stop = std::find(kStopWords.begin(), kStopWords.end(), word);
    if (stop != kStopWords.end()) seen_ |= 1U << static_cast<unsigned>(stop - kStopWords.begin());
  }

  /// An apostrophe or a hyphen here, with more of the word behind it.
  bool joins(std::size_t length) const {
    const std::string_view here(reinterpret_cast<const char*>(p_), length);
    if (here != "'" && here != "-" && here != kApostrophe) return false;
    const std::uint8_t* const next = p_ + length;
    return next < end_ && (scan_code_point(next, end_, flags_).flags & kWord) != 0;
  }

  const std::uint8_t* p_;
  const std::uint8_t* end_;
  const std::uint8_t* flags_ = unicode_flags();
  unsigned seen_ = 0;
};

std::uint64_t occurrences(std::string_view text, std::string_view part) {
  std::uint64_t count = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

void count_line(std::string_view line, TextStatistics& sums) {
  constexpr std::string_view kWhite = " \t\r\v\f";
  const std::size_t begin = line.find_first_not_of(kWhite);
  if (begin == std::string_view::npos) return;
  line = line.substr(begin, line.find_last_not_of(kWhite) - begin + 1);
  ++sums.lines;
  if (line.starts_with('-') || line.starts_with(kBullet)) ++sums.bullet_lines;
  if (line.ends_with("...") || line.ends_with(kEllipsis)) ++sums.ellipsis_lines;
}

double ratio(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::string_view broken_gopher_rule(const TextStatistics& text, const FilterConfig& rules) {
  const double mean_length = ratio(text.word_characters, text.words);
  if (text.words < static_cast<std::uint64_t>(rules.min_words)) return "too few words";
  if (text.words > static_cast<std::uint64_t>(rules.max_words)) return "too many words";
  if (mean_length < rules.min_mean_word_length) return "words too short";
  if (mean_length > rules.max_mean_word_length) return "words too long";
  if (ratio(text.hashes, text.words) > rules.max_symbols_per_word) return "too many hash signs";
  if (ratio(text.ellipses, text.words) > rules.max_symbols_per_word) return "too many ellipses";
  if (ratio(text.bullet_lines, text.lines) > rules.max_bullet_lines) return "too many bullet lines";
  if (ratio(text.ellipsis_lines, text.lines) > rules.max_ellipsis_lines) return "too many lines end in an ellipsis";
  if (ratio(text.alphabetic_words, text.words) < rules.min_alphabetic_words) return "too few words with a letter";
  if (text.stop_words < static_cast<std::uint64_t>(rules.min_stop_words)) return "too few stop words";
  return {};
}

}  // namespace

TextStatistics measure_text(std::string_view text) {
  TextStatistics sums;
  Words(text).count(sums);
  sums.hashes = static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '#'));
  sums.ellipses = occurrences(text, "...") + occurrences(text, kEllipsis);
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    count_line(text.substr(begin, end - begin), sums);
    begin = end + 1;
  }
  return sums;
}

std::string_view broken_rule(const TextStatistics& text, const FilterConfig& rules) {
  if (text.characters < static_cast<std::uint64_t>(rules.min_characters)) return "too short";
  if (text.characters > static_cast<std::uint64_t>(rules.max_characters)) return "too long";
  return rules.gopher ? broken_gopher_rule(text, rules) : std::string_view{};
}

}  // namespace trireme
