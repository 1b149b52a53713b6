// SPDX-License-Identifier: Apache-2.0
// UTF-8 validity against a definition of its own, NFC against cases of the Unicode standard, the other rules one by
// one.
#include "data_pipeline/extract/normalize.h"

#include <gtest/gtest.h>

#include <random>

namespace trireme {
namespace {

std::string normalized(std::string text, InvalidUtf8 policy = InvalidUtf8::fail) {
  const std::string_view reason = normalize_text(text, policy);
  return reason.empty() ? text : "refused: " + std::string(reason);
}

/// The definition by code points: decode by the bit patterns, then ask whether encoding gives the same bytes back.
bool valid_by_definition(std::string_view s) {
  for (std::size_t i = 0; i < s.size();) {
    const auto lead = static_cast<unsigned char>(s[i]);
    const std::size_t n = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
    if (n == 0 || i + n > s.size()) {
      return false;
    }
    char32_t code = n == 1 ? lead : lead & (0x7fu >> n);
    for (std::size_t k = 1; k < n; ++k) {
      const auto next = static_cast<unsigned char>(s[i + k]);
      if (next >> 6 != 2) {
        return false;
      }
      code = code << 6 | (next & 0x3f);
    }
    std::string again;
    append_utf8(again, code);
    if (again != s.substr(i, n)) {
      return false;
    }
    i += n;
  }
  return true;
}

TEST(Utf8, AgreesWithTheDefinition) {
  std::mt19937 random(7);
  const std::string bytes = "a\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xe1\xed\xef\xf0\xf1\xf4\xf5\xff";
  for (int i = 0; i < 300'000; ++i) {
    std::string s;
    for (std::size_t n = random() % 12; n > 0; --n) {
      s += bytes[random() % bytes.size()];
    }
    const std::size_t prefix = valid_utf8_prefix(s);
    ASSERT_EQ(prefix == s.size(), valid_by_definition(s));
    ASSERT_TRUE(valid_by_definition(s.substr(0, prefix)));
    ASSERT_TRUE(valid_by_definition(replace_invalid_utf8(s)));
  }
}

// Unicode 15, table 3-8: one U+FFFD for each maximal part of an ill-formed sequence.
TEST(Utf8, ReplacesMaximalParts) {
  const std::string r = "\xef\xbf\xbd";
  EXPECT_EQ(replace_invalid_utf8("\x61\xf1\x80\x80\xe1\x80\xc2\x62\x80\x63\x80\xbf\x64"),
            "a" + r + r + r + "b" + r + "c" + r + r + "d");
  EXPECT_EQ(replace_invalid_utf8("\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41"), r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(replace_invalid_utf8("\xed\xa0\x80"), r + r + r);
}

TEST(Normalize, LineEndsAndControls) {
  EXPECT_EQ(normalized("a\r\nb\rc\nd\r"), "a\nb\nc\nd\n");
  EXPECT_EQ(normalized("\r\r\n\r"), "\n\n\n");
  EXPECT_EQ(normalized(std::string("a\0b\x07\tc\x7f\xc2\x85\xef\xbb\xbf"
                                   "d",
                                   13)),
            "ab\tcd");
  EXPECT_EQ(normalized("\xff"), "refused: invalid UTF-8");
  EXPECT_EQ(normalized("a\xff", InvalidUtf8::replace), "a\xef\xbf\xbd");
}

TEST(Normalize, ComposesToNfc) {
  EXPECT_EQ(normalized("e\xcc\x81"), "\xc3\xa9");                                        // e + acute
  EXPECT_EQ(normalized("plain line\nA\xcc\x8a\nplain"), "plain line\n\xc3\x85\nplain");  // A + ring
  EXPECT_EQ(normalized("\xe2\x84\xab"), "\xc3\x85");                                     // Angstrom sign
  EXPECT_EQ(normalized("\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab"), "\xed\x95\x9c");         // Hangul jamo
  EXPECT_EQ(normalized("\xea\xb0\x80\xe1\x86\xa8"), "\xea\xb0\x81");                     // syllable LV + T
  EXPECT_EQ(normalized("\xe3\x81\x8b\xe3\x82\x99"), "\xe3\x81\x8c");                     // ka + voiced mark
  EXPECT_EQ(normalized("q\xcc\x87\xcc\xa3"), "q\xcc\xa3\xcc\x87");                       // marks in canonical order
  EXPECT_EQ(normalized("\xe0\xa4\x95\xe0\xa4\xbc"), "\xe0\xa4\x95\xe0\xa4\xbc");  // composition exclusion: qa stays two
  EXPECT_EQ(normalized("\xe0\xa5\x98"), "\xe0\xa4\x95\xe0\xa4\xbc");              // and one becomes two
  EXPECT_EQ(normalized("\xef\xac\x81 \xe2\x80\x94 \xe4\xb8\xad"),
            "\xef\xac\x81 \xe2\x80\x94 \xe4\xb8\xad");  // not NFKC
}

TEST(Normalize, IsIdempotentOnAllCodePoints) {
  for (char32_t c = 0x20; c <= 0x10ffff; ++c) {
    if (c >= 0xd800 && c <= 0xdfff) {
      continue;
    }
    std::string s = "a";
    append_utf8(s, c);
    const std::string once = normalized(s);
    ASSERT_EQ(normalized(once), once) << static_cast<unsigned>(c);
  }
}

// Sorting a run of marks takes quadratic time: such a text is no writing.
TEST(Normalize, RunsOfMarksAreBounded) {
  std::string zalgo = "a";
  for (int i = 0; i < 500'000; ++i) {
    zalgo += i % 2 == 0 ? "\xcc\x87" : "\xcc\xa3";
  }
  EXPECT_EQ(normalized(zalgo), "refused: too many combining marks");
  std::string some = "a";
  for (int i = 0; i < 100; ++i) {
    some += "\xcc\x87";
  }
  EXPECT_NE(normalized(some), "refused: too many combining marks");
}

}  // namespace
}  // namespace trireme
