// SPDX-License-Identifier: Apache-2.0
// HTML to text: what goes, what stays, where lines break; character sets; pages made to hurt the parser.
#include <gtest/gtest.h>

#include "data_pipeline/extract/charset.h"
#include "data_pipeline/extract/html_text.h"

namespace trireme {
namespace {

std::string text_of(std::string_view html) {
  std::string text;
  const std::string_view reason = html_to_text(html, text);
  return reason.empty() ? text : "refused: " + std::string(reason);
}

TEST(Html, BlocksAndInlines) {
  EXPECT_EQ(text_of("<h1>Title</h1><p>One <b>bold</b>,\n  two.<p>Next<br>line <div>block</div>tail"),
            "Title\n\nOne bold, two.\n\nNext\nline\n\nblock\ntail");
  EXPECT_EQ(text_of("<ul><li>a<li><p>b</ul>after"), "- a\n\n- b\n\nafter");
  EXPECT_EQ(text_of("<table><tr><th>k<th>v<tr><td>1<td>2</table>"), "k\tv\n1\t2");
  EXPECT_EQ(text_of("<pre>  a\n    b\nc</pre>"), "  a\n    b\nc");
  EXPECT_EQ(text_of("a&amp;b &eacute;&#8211;&lt;x&gt;"), "a&b é–<x>");
}

TEST(Html, DropsWhatIsNoProse) {
  for (const char* tag : {"script", "style", "nav", "header", "footer", "aside", "noscript", "template", "iframe",
                          "button", "select", "textarea", "svg", "menu", "object"}) {
    const std::string t(tag);
    EXPECT_EQ(text_of("<body><p>keep</p><" + t + ">drop</" + t + "><p>too"), "keep\n\ntoo") << t;
  }
  EXPECT_EQ(text_of("<head><title>t</title></head><body><div hidden>x</div><div role=navigation>y</div>"
                    "<span aria-hidden=true>z</span><!-- c -->keep"),
            "keep");
}

TEST(Html, FormsGoUnlessThePageIsOne) {
  const std::string prose(200, 'x');
  EXPECT_EQ(text_of("<p>" + prose + "</p><form><p>search</p></form>"), prose);
  EXPECT_EQ(text_of("<form action=x><p>" + prose + "</p></form>"), prose);
}

TEST(Html, EmptyAndBroken) {
  EXPECT_EQ(text_of(""), "");
  EXPECT_EQ(text_of("<p"), "");
  EXPECT_EQ(text_of("no tags at all"), "no tags at all");
  // Found by fuzzing: the parser made a stray byte of it.
  EXPECT_EQ(text_of("a&#x2013aaaaaaaa;b"),
            "a\xef\xbf\xbd"
            "b");
  EXPECT_EQ(text_of("</div>x</html>y"), "xy");
}

TEST(Html, DepthIsBounded) {
  std::string deep;
  for (int i = 0; i < 1'000'000; ++i) {
    deep += "<div>";
  }
  EXPECT_EQ(text_of(deep), "refused: HTML nested too deeply");
  std::string formats;
  for (int i = 0; i < 100'000; ++i) {
    formats += "<b><i>";
  }
  EXPECT_EQ(text_of(formats), "refused: HTML nested too deeply");
  // Long lists and tables without end tags are not deep.
  std::string list = "<ul>";
  std::string table = "<table>";
  std::string paragraphs;
  for (int i = 0; i < 5000; ++i) {
    list += "<li>a";
    table += "<tr><td>a<td>b";
    paragraphs += "<p>a<a href=x>b";
  }
  EXPECT_TRUE(text_of(list).starts_with("- a\n- a"));
  EXPECT_TRUE(text_of(table).starts_with("a\tb\na\tb"));
  EXPECT_TRUE(text_of(paragraphs).starts_with("ab"));
}

// Found by fuzzing: an assertion within the library ended the process.
TEST(Html, AssertionsOfTheParserCostThePageOnly) {
  const std::string_view page =
      "<b><i><a href=x><p>m</bm><svg><ti>n/i></a><template><tr><>b</select></form><svg><title><!-- c "
      "--><![CDATA[dx]]>y<font size=1 color='red'>q</font>";
  EXPECT_EQ(text_of(page), "refused: HTML that the parser cannot take");
  EXPECT_EQ(text_of("<p>next"), "next");
}

TEST(Html, AttributesAndMemoryAreBounded) {
  std::string tag = "<p";
  for (int i = 0; i < 100'000; ++i) {
    tag += " a" + std::to_string(i);
  }
  EXPECT_EQ(text_of(tag + ">x"), "refused: HTML tag with too many attributes");
  EXPECT_EQ(text_of("<a href='" + std::string(1'000'000, ' ') + "'>x</a>"), "x");
  // Each paragraph opens all formatting elements again: the tree grows with the square of the page.
  std::string grows = "<p>";
  for (int i = 0; i < 400; ++i) {
    grows += "<font size=" + std::to_string(i) + ">";
  }
  for (int i = 0; i < 20'000; ++i) {
    grows += "<p>x";
  }
  EXPECT_TRUE(text_of(grows) == "refused: HTML tree above its memory limit");
}

std::string decoded(std::string_view page, std::string_view type, InvalidUtf8 policy = InvalidUtf8::fail) {
  std::string utf8;
  switch (html_to_utf8(page, type, policy, utf8)) {
    case CharsetVerdict::decoded:
      return utf8;
    case CharsetVerdict::unsupported:
      return "unsupported";
    case CharsetVerdict::invalid:
      break;
  }
  return "invalid";
}

TEST(Charset, ByHeaderMetaAndBytes) {
  EXPECT_EQ(decoded("caf\xe9 \x80", "text/html; charset=ISO-8859-1"), "café €");
  EXPECT_EQ(decoded("caf\xe9", "text/html;charset=\"windows-1252\""), "café");
  EXPECT_EQ(decoded("<meta charset=latin1>caf\xe9", "text/html"), "<meta charset=latin1>café");
  EXPECT_EQ(decoded("<META http-equiv='Content-Type' content='text/html; charset=utf-8'>\xe9", ""), "invalid");
  EXPECT_EQ(decoded("caf\xe9", ""), "café");
  EXPECT_EQ(decoded("caf\xc3\xa9", "text/html; charset=iso-8859-1"), "café");  // the label lies
  EXPECT_EQ(decoded("caf\xc3\xa9", ""), "café");
  EXPECT_EQ(decoded("\xef\xbb\xbf"
                    "caf\xc3\xa9",
                    "text/html; charset=iso-8859-1"),
            "café");
  EXPECT_EQ(decoded("a\xe9", "text/html; charset=utf-8"), "invalid");
  EXPECT_EQ(decoded("a\xe9", "text/html; charset=utf-8", InvalidUtf8::replace), "a\xef\xbf\xbd");
  EXPECT_EQ(decoded("\x83\x65", "text/html; charset=Shift_JIS"), "unsupported");
  EXPECT_EQ(decoded("\x1b$B", "text/html; charset=iso-2022-jp"), "unsupported");
  EXPECT_EQ(decoded("\xff\xfe<\0", ""), "unsupported");
}

}  // namespace
}  // namespace trireme
