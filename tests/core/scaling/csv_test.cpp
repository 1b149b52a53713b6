// SPDX-License-Identifier: Apache-2.0
#include "core/scaling/csv.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/base/error.h"

namespace trireme {
namespace {

void expect_refused(const std::string& text, const std::string& part) {
  try {
    parse_table(text, "t.csv");
    ADD_FAILURE() << "accepted: " << text;
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
  }
}

TEST(Csv, ReadsWhatPeopleWrite) {
  const auto t = parse_table(
      "\xef\xbb\xbf"
      "a, b ,\"c,d\"\r\n# a comment\r\n1,\"two \"\"2\"\"\",\r\n\n\"x\ny\",,3",
      "t");
  EXPECT_EQ(t.columns, (std::vector<std::string>{"a", "b", "c,d"}));
  ASSERT_EQ(t.rows.size(), 2U);
  EXPECT_EQ(t.rows[0], (std::vector<std::string>{"1", "two \"2\"", ""}));
  EXPECT_EQ(t.rows[1], (std::vector<std::string>{"x\ny", "", "3"}));
  EXPECT_EQ(t.lines, (std::vector<std::size_t>{3, 5}));
}

TEST(Csv, RefusesWithTheLine) {
  expect_refused("", "t.csv is empty");
  expect_refused("# only\n\n", "t.csv is empty");
  expect_refused("a,b\n1,2\n3\n", "t.csv:3: 1 values where the first line names 2 columns");
  expect_refused("a,b\n1,2,3\n", "t.csv:2: 3 values");
  expect_refused("a,b\n1,\"2\n3,4\n", "t.csv:2: the quote that opens here is never closed");
  expect_refused("a,b\n\"1\"2,3\n", "t.csv:2: a character follows the closing quote");
  expect_refused("a,,c\n", "column 2 has no name");
  expect_refused("a,a\n", "two columns are called 'a'");
  expect_refused(std::string("a\n\0\n", 4), "bytes of 0");
  expect_refused(std::string(3000, ','), "more than 1024 columns");
}

TEST(Csv, ValuesComeBack) {
  for (const std::string value : {"", "plain", "a,b", "say \"so\"", "two\nlines", "#1"}) {
    const auto t = parse_table("x,y\n1," + csv_value(std::string_view(value)) + "\n", "t");
    ASSERT_EQ(t.rows.size(), 1U);
    EXPECT_EQ(t.rows[0][1], value);
  }
  for (const double value : {0.1, 1e300, 0.0010182740178, 1.0 / 3}) {
    EXPECT_EQ(std::stod(csv_value(value)), value);
  }
  EXPECT_EQ(csv_value(std::nan("")), "");
}

}  // namespace
}  // namespace trireme
