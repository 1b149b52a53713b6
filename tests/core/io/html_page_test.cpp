// SPDX-License-Identifier: Apache-2.0
#include "core/io/html_page.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/core/io/well_formed.h"

namespace trireme {
namespace {

TEST(HtmlPage, TextStandsForItself) {
  EXPECT_EQ(html_escaped("a < b & \"c\" > 'd'"), "a &lt; b &amp; &quot;c&quot; &gt; &#39;d&#39;");
  EXPECT_EQ(html_escaped("plain\tä€😀\n"), "plain\tä€😀\n");
}

// What is no UTF-8 (RFC 3629), or no character of XML 1.0, becomes U+FFFD: a browser shows it, a parser takes it.
TEST(HtmlPage, WhatIsNoTextIsReplaced) {
  const std::string replaced = "\xEF\xBF\xBD";
  for (const std::string bad : {"\x80", "\xC1", "\xF5", "\x01", "\xC2"}) EXPECT_EQ(html_escaped(bad), replaced) << bad;
  EXPECT_EQ(html_escaped(std::string(1, '\0')), replaced);
  EXPECT_EQ(html_escaped("\xC0\x80"), replaced + replaced);                 // overlong
  EXPECT_EQ(html_escaped("\xE0\x80\x80"), replaced + replaced + replaced);  // overlong
  EXPECT_EQ(html_escaped("\xED\xA0\x80"), replaced + replaced + replaced);  // a surrogate
  EXPECT_EQ(html_escaped("\xEF\xBF\xBF"), replaced + replaced + replaced);  // no character
  EXPECT_EQ(html_escaped("\xF4\x90\x80\x80").substr(0, 3), replaced);       // beyond the last
  EXPECT_EQ(html_escaped("\xE2\x82<"), replaced + replaced + "&lt;");       // cut off
}

TEST(HtmlPage, EveryByteGivesWellFormedText) {
  std::string all = "<p title=\"";
  for (int first = 0; first < 256; ++first) {
    std::string pair{static_cast<char>(first), 'x'};
    for (int second = 0; second < 256; second += 7) {
      pair[1] = static_cast<char>(second);
      all += html_escaped(pair);
    }
  }
  EXPECT_EQ(testing::xml_problem(all + "\">x</p>"), "");
}

TEST(HtmlPage, PagesAndTablesAreWellFormedAndEscaped) {
  const HtmlTable table{{"<b>", "n"}, {false, true}, {{"</td><script>", "1"}, {"&", "2"}}};
  const auto page = html_page("<title>", "<h1>x</h1>" + html_of(table), ".x{color:red}");
  EXPECT_EQ(testing::xml_problem(page), "");
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_NE(page.find("<td class=\"number\">1</td>"), std::string::npos);
  EXPECT_NE(page.find("<title>&lt;title&gt;</title>"), std::string::npos);
  EXPECT_EQ(page.find("http:"), std::string::npos);
  EXPECT_EQ(page.find("https:"), std::string::npos);
}

}  // namespace
}  // namespace trireme
