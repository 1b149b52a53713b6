// SPDX-License-Identifier: Apache-2.0
// The state machines against a backtracking matcher of the very expressions, on hard and random texts.
#include "data_pipeline/tokenizer/piece_scanner.h"

#include <gtest/gtest.h>
#include <utf8proc.h>

#include <random>
#include <string>
#include <vector>

#include "tests/data_pipeline/tokenizer/reference_regex.h"

namespace trireme {
namespace {

constexpr Pattern kPatterns[] = {Pattern::gpt2, Pattern::cl100k, Pattern::qwen2, Pattern::o200k};

std::vector<std::string> pieces_of(Pattern pattern, std::string_view text) {
  std::vector<std::string> found;
  for_each_piece(pattern, text, [&](std::string_view piece) { found.emplace_back(piece); });
  return found;
}

std::string utf8(char32_t code) {
  utf8proc_uint8_t bytes[4];
  const auto length = utf8proc_encode_char(static_cast<utf8proc_int32_t>(code), bytes);
  return {reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(length)};
}

/// What the patterns distinguish: each alternative's letters, their neighbours, and things that are not UTF-8.
std::vector<std::string> atoms() {
  std::vector<std::string> all = {"'s",
                                  "'S",
                                  "'t",
                                  "'re",
                                  "'VE",
                                  "'m",
                                  "'ll",
                                  "'Ll",
                                  "'d",
                                  "'",
                                  "l",
                                  "L",
                                  "e",
                                  "v",
                                  " ",
                                  "  ",
                                  "\n",
                                  "\r",
                                  "\t",
                                  "/",
                                  ".",
                                  "-",
                                  "1",
                                  "23",
                                  "4567",
                                  "a",
                                  "B",
                                  "cD",
                                  "\x80",
                                  "\xC3",
                                  "\xE4\xB8",
                                  "\xF0\x9F\x98",
                                  "\xC0\xAF",
                                  "\xED\xA0\x80",
                                  "\xF4\x90\x80\x80",
                                  "\xFF",
                                  std::string(1, '\0')};
  for (const char32_t code :
       {0x17F, 0x212A, 0xDF,   0xC4,    0xE9,    0x416,   0x436,   0x5D0,   0x4E2D,  0x304B,  0xAA,
        0x2B0, 0x1D2C, 0x1C5,  0x1C8,   0x301,   0x308,   0x20DD,  0x93F,   0xFE0F,  0x200D,  0x200B,
        0xA0,  0x85,   0x1680, 0x180E,  0x2003,  0x2028,  0x2029,  0x202F,  0x205F,  0x3000,  0xFEFF,
        0xBD,  0x663,  0x2167, 0x1F600, 0x10400, 0x10428, 0x1E900, 0x1D7D8, 0xE0100, 0x10FFFF}) {
    all.push_back(utf8(code));
  }
  return all;
}

TEST(PieceScanner, EqualsTheExpressionsOnRandomTexts) {
  const std::vector<std::string> all = atoms();
  for (const Pattern pattern : kPatterns) {
    const ReferenceRegex reference(pattern_regex(pattern));
    std::mt19937 random(static_cast<unsigned>(pattern) + 1);
    for (int round = 0; round < 6000; ++round) {
      // Some rounds draw from few atoms, so that runs are long and classes meet often.
      const std::size_t choice = round % 3 == 0 ? 3 : all.size();
      const std::size_t first = random() % all.size();
      std::string text;
      for (std::size_t n = random() % 30; n > 0; --n) text += all[(first + 7 * (random() % choice)) % all.size()];
      ASSERT_EQ(pieces_of(pattern, text), reference.pieces(text)) << pattern_name(pattern) << " round " << round;
    }
  }
}

TEST(PieceScanner, EqualsTheExpressionsOnRandomCodePointsAndBytes) {
  for (const Pattern pattern : kPatterns) {
    const ReferenceRegex reference(pattern_regex(pattern));
    std::mt19937 random(9);
    for (int round = 0; round < 3000; ++round) {
      const char32_t top = round % 3 == 0 ? 0x250 : round % 3 == 1 ? 0x3100 : 0x20000;
      std::string text;
      for (std::size_t n = random() % 40; n > 0; --n) {
        const auto code = static_cast<char32_t>(random() % top);
        if (round % 7 == 0) {
          text += static_cast<char>(random());
        } else if (reference_knows(code) && !(code >= 0xD800 && code < 0xE000)) {
          text += utf8(code);
        }
      }
      ASSERT_EQ(pieces_of(pattern, text), reference.pieces(text)) << pattern_name(pattern) << " round " << round;
    }
  }
}

TEST(PieceScanner, TheOtherSpellingsCutTheSame) {
  const std::vector<std::string> all = atoms();
  const std::string_view possessive =
      R"re('(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s)re";
  ASSERT_EQ(pattern_of_regex(possessive), Pattern::gpt2);
  const ReferenceRegex reference(possessive);
  std::mt19937 random(11);
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (std::size_t n = random() % 30; n > 0; --n) text += all[random() % all.size()];
    ASSERT_EQ(pieces_of(Pattern::gpt2, text), reference.pieces(text)) << "round " << round;
  }
}

TEST(PieceScanner, EveryKnownCodePointHasItsCategory) {
  const std::uint8_t* flags = unicode_flags();
  std::size_t compared = 0;
  for (char32_t code = 0; code < 0x110000; ++code) {
    if (!reference_knows(code)) continue;
    ++compared;
    const std::string category = utf8proc_category_string(static_cast<utf8proc_int32_t>(code));
    EXPECT_EQ((flags[code] & kLetter) != 0, category[0] == 'L') << static_cast<int>(code);
    EXPECT_EQ((flags[code] & kNumber) != 0, category[0] == 'N') << static_cast<int>(code);
    EXPECT_EQ((flags[code] & kMark) != 0, category[0] == 'M') << static_cast<int>(code);
    const bool both = category == "Lm" || category == "Lo" || category[0] == 'M';
    EXPECT_EQ((flags[code] & kUpper) != 0, both || category == "Lu" || category == "Lt") << static_cast<int>(code);
    EXPECT_EQ((flags[code] & kLower) != 0, both || category == "Ll") << static_cast<int>(code);
  }
  EXPECT_GT(compared, 280000U);
}

TEST(PieceScanner, TwentyFiveCodePointsAreSpace) {
  const std::uint8_t* flags = unicode_flags();
  std::size_t spaces = 0;
  for (std::size_t code = 0; code < 0x110000; ++code) spaces += flags[code] & kSpace ? 1 : 0;
  EXPECT_EQ(spaces, 25U);
}

TEST(Pattern, NamesAndExpressionsLeadBack) {
  for (const Pattern pattern : kPatterns) {
    EXPECT_EQ(pattern_of_name(pattern_name(pattern)), pattern);
    EXPECT_EQ(pattern_of_regex(pattern_regex(pattern)), pattern);
  }
  EXPECT_EQ(pattern_of_name("llama3"), Pattern::cl100k);
  EXPECT_FALSE(pattern_of_name("r50k").has_value());
  EXPECT_FALSE(pattern_of_regex("\\s+").has_value());
}

}  // namespace
}  // namespace trireme
