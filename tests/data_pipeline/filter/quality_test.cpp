// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/filter/quality.h"

#include <gtest/gtest.h>

#include <string>

namespace trireme {
namespace {

std::string repeat(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

TEST(MeasureText, CountsWords) {
  const TextStatistics t =
      measure_text("The mother-in-law's 2nd caf\xc3\xa9 -- isn't 1999, na\xc3\xafve! 'quoted' don\xe2\x80\x99t");
  // The | mother-in-law's | 2nd | café | isn't | 1999 | naïve | quoted | don’t
  EXPECT_EQ(t.words, 9U);
  EXPECT_EQ(t.alphabetic_words, 8U);
  EXPECT_EQ(t.word_characters, 3U + 15 + 3 + 4 + 5 + 4 + 5 + 6 + 5);
  EXPECT_EQ(t.characters, 65U);
  EXPECT_EQ(t.stop_words, 0U) << "'The' is not 'the'";
  // A combining accent belongs to its word; a hyphen at its end does not.
  EXPECT_EQ(measure_text("cafe\xcc\x81- x").words, 2U);
  EXPECT_EQ(measure_text("cafe\xcc\x81- x").word_characters, 6U);
  EXPECT_EQ(measure_text("").words, 0U);
}

TEST(MeasureText, CountsLinesAndSymbols) {
  const TextStatistics t = measure_text("- a\n \xe2\x80\xa2 b \n\n  \nc...\nd \xe2\x80\xa6 \ne # ## ......");
  EXPECT_EQ(t.lines, 5U);
  EXPECT_EQ(t.bullet_lines, 2U);
  EXPECT_EQ(t.ellipsis_lines, 3U);
  EXPECT_EQ(t.ellipses, 4U);
  EXPECT_EQ(t.hashes, 3U);
}

TEST(MeasureText, CountsDifferentStopWords) {
  EXPECT_EQ(measure_text("the the the of").stop_words, 2U);
  EXPECT_EQ(measure_text("the be to of and that have with").stop_words, 8U);
  EXPECT_EQ(measure_text("them beto often").stop_words, 0U);
}

// Each rule with a text that just passes and one that just fails; all other rules are met by both.
TEST(BrokenRule, EachRuleAtItsEdge) {
  const FilterConfig rules;
  const auto rule = [&](const std::string& text) { return std::string(broken_rule(measure_text(text), rules)); };
  const std::string ten = "the cat and dogs sat on mats with old hats ";  // 10 words, 4 stop words
  EXPECT_EQ(rule(""), "too short");
  EXPECT_EQ(rule(repeat(ten, 5)), "");
  EXPECT_EQ(rule(repeat(ten, 4) + "the cat and dogs sat on mats with old"), "too few words");
  EXPECT_EQ(rule(repeat(ten, 10000)), "");
  EXPECT_EQ(rule(repeat(ten, 10000) + "cat"), "too many words");
  EXPECT_EQ(rule("the and " + repeat("cat ", 48)), "");
  EXPECT_EQ(rule("the and " + repeat("cat ", 47) + "ox"), "words too short");
  EXPECT_EQ(rule("the and " + repeat("abcdefghij ", 46) + repeat("abcdefghijabcdefg ", 2)), "");
  EXPECT_EQ(rule("the and " + repeat("abcdefghij ", 46) + repeat("abcdefghijabcdefgh ", 2)), "words too long");
  EXPECT_EQ(rule(repeat(ten, 5) + "#####"), "");
  EXPECT_EQ(rule(repeat(ten, 5) + "######"), "too many hash signs");
  EXPECT_EQ(rule(repeat("a... ", 5) + repeat(ten, 5)), "");
  EXPECT_EQ(rule(repeat("a... ", 6) + repeat(ten, 5)), "too many ellipses");
  EXPECT_EQ(rule(repeat("- " + ten + "\n", 9) + ten), "");
  EXPECT_EQ(rule(repeat("- " + ten + "\n", 10) + ten), "too many bullet lines");
  EXPECT_EQ(rule(repeat(ten + "...\n", 3) + repeat(ten + "\n", 7)), "");
  EXPECT_EQ(rule(repeat(ten + "...\n", 3) + repeat(ten + "\n", 6)), "too many lines end in an ellipsis");
  EXPECT_EQ(rule(repeat(ten, 4) + repeat("1234 ", 10)), "");
  EXPECT_EQ(rule(repeat(ten, 4) + repeat("1234 ", 11)), "too few words with a letter");
  EXPECT_EQ(rule("the of " + repeat("some ", 50)), "");
  EXPECT_EQ(rule("the the " + repeat("some ", 50)), "too few stop words");
}

TEST(BrokenRule, LengthAloneWhenGopherIsOff) {
  FilterConfig rules;
  rules.gopher = false;
  rules.min_characters = 3;
  rules.max_characters = 5;
  const auto rule = [&](const std::string& text) { return std::string(broken_rule(measure_text(text), rules)); };
  EXPECT_EQ(rule("\xc3\xa9\xc3\xa9"), "too short") << "code points, not bytes";
  EXPECT_EQ(rule("\xc3\xa9\xc3\xa9\xc3\xa9"), "");
  EXPECT_EQ(rule("#####"), "");
  EXPECT_EQ(rule("######"), "too long");
}

}  // namespace
}  // namespace trireme
