// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/exams/csv.h"

#include <gtest/gtest.h>

#include "core/base/error.h"
#include "data_pipeline/exams/text.h"

namespace trireme {
namespace {

using Rows = std::vector<std::vector<std::string>>;

Rows fields_of(std::string_view text) {
  Rows all;
  for (const auto& row : parse_csv(text, "x.csv")) all.push_back(row.fields);
  return all;
}

TEST(Csv, QuotesCommasAndLineBreaks) {
  EXPECT_EQ(fields_of("a,b\nc,\"d, \"\"e\"\"\nf\"\n"), (Rows{{"a", "b"}, {"c", "d, \"e\"\nf"}}));
  EXPECT_EQ(fields_of("a,\r\n\r\n,b"), (Rows{{"a", ""}, {"", "b"}}));
  EXPECT_EQ(fields_of("\xef\xbb\xbf\"a\",b\rc,d"), (Rows{{"a", "b"}, {"c", "d"}}));
  EXPECT_EQ(fields_of(""), Rows{});
  EXPECT_EQ(fields_of("a 5\" pipe,b"), (Rows{{"a 5\" pipe", "b"}}));
}

TEST(Csv, KnowsTheLineOfARow) {
  const auto rows = parse_csv("a,\"b\nb\"\nc,d\n", "x.csv");
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[1].line, 3U);
}

TEST(Csv, RefusesBrokenQuotes) {
  for (const auto* text : {"a,\"b", "\"a\"b,c", "\"a\" ,b"}) EXPECT_THROW(parse_csv(text, "x.csv"), Error) << text;
  try {
    parse_csv("ok,ok\n\"never", "x.csv");
    FAIL();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "x.csv:2: a quote that is never closed");
  }
}

TEST(Text, StripsUnicodeWhiteSpaceAsThePythonOfTheHarnessDoes) {
  EXPECT_EQ(strip(" \t\u00a0\u2003\u3000a b\x1c\u2028\n"), "a b");
  EXPECT_EQ(strip("\u200b\ufeff"), "\u200b\ufeff");  // zero width: not space
  EXPECT_EQ(strip(""), "");
  EXPECT_EQ(strip(" \n "), "");
  EXPECT_EQ(strip_end(" x "), " x");
  EXPECT_EQ(strip("\x80\xa0"), "\x80\xa0");  // broken UTF-8 stays
  EXPECT_EQ(code_points("naïve \u3000"), 7U);
}

}  // namespace
}  // namespace trireme
