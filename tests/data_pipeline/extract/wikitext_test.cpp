// SPDX-License-Identifier: Apache-2.0
// Wikitext to text: markup goes, labels and numbers stay; unbalanced and hostile input takes linear time.
#include "data_pipeline/extract/wikitext.h"

#include <gtest/gtest.h>

#include <chrono>
#include <utility>
#include <vector>

namespace trireme {
namespace {

std::string text_of(std::string_view wikitext) {
  TemplateCounts dropped;
  std::string text = wikitext_to_text(wikitext, {}, dropped);
  if (text.ends_with('\n')) {
    text.pop_back();
  }
  return text;
}

using Cases = std::vector<std::pair<std::string, std::string>>;

void expect(const Cases& cases) {
  for (const auto& [wikitext, text] : cases) {
    EXPECT_EQ(text_of(wikitext), text) << wikitext;
  }
}

TEST(Wikitext, QuotesAndTags) {
  expect({{"'''Bold''' and ''italic'' and '''''both'''''", "Bold and italic and both"},
          {"L'amour, ''l'eau''", "L'amour, l'eau"},
          {"a<ref>gone</ref>b<ref name=\"x\" />c<ref name=y>{{cite|x}}</ref>d", "abcd"},
          {"a<ref>never closed", "anever closed"},
          {"a<!-- gone -->b<!-- to the end", "ab"},
          {"a<br>b<br/>c", "a\nb\nc"},
          {"10<sup>6</sup> m<sup>2</sup> H<sub>2</sub>O 1<sup>st</sup>", "10^6 m^2 H2O 1st"},
          {"<nowiki>'''[[not]] {{a}} markup'''</nowiki> &lt;b&gt;", "'''[[not]] {{a}} markup''' <b>"},
          {"<math>x_{1}^2</math> is", "$x_{1}^2$ is"},
          {"<span style=\"x\">a</span> 1 < 2 <unknown> 3", "a 1 < 2 <unknown> 3"},
          {"<gallery>\nFile:x.jpg\n</gallery>after", "after"},
          {"a &nbsp;&ndash; b &eacute;&#233;&#xE9; &bogus; &", "a – b ééé &bogus; &"}});
}

TEST(Wikitext, Links) {
  expect({{"[[apple]]s and [[apple|pears]]", "apples and pears"},
          {"[[File:x.jpg|thumb|a [[nested]] caption]]text", "text"},
          {"[[Category:Fruit]]\n[[Image:y.png]]", ""},
          {"[[:Category:Fruit]] [[:File:x.jpg|a file]]", "Category:Fruit a file"},
          {"[[fr:Pomme]]text[[simple:Apple]]", "text"},
          {"[[Wikt:word|a word]] [[Help:Contents|]] [[#Part]]", "a word Contents Part"},
          {"see [http://x.org the site], [http://y.org] and http://z.org", "see the site, and http://z.org"},
          {"[[a|b [http://x label] c]]", "b label c"},
          {"an [interval] and [[unclosed link", "an [interval] and unclosed link"},
          {"[http://x unclosed\n[[next]]", "[http://x unclosed\nnext"}});
}

TEST(Wikitext, HeadingsAndLists) {
  expect({{"intro\n== History ==\n=== Early ===\ntext\n== Empty ==\n== See also ==\n* [[a]]\n* [[b]]\n== References "
           "==\n{{reflist}}",
           "intro\n\nHistory\n\nEarly\ntext\n\nSee also\n- a\n- b"},
          {"* one\n** two\n# three\n: indented\n; term", "- one\n- two\n- three\nindented\nterm"},
          {"a\n\n\n\nb\n----\nc", "a\n\nb\n\nc"},
          {"__NOTOC__a __x__ snake_case", "a __x__ snake_case"}});
}

TEST(Wikitext, TablesGo) {
  expect({{"a\n{| class=\"wikitable\"\n|-\n! h\n| [[x|y]] || {{nowrap|1}}\n{|\n| inner\n|}\n|}\nb", "a\n\nb"},
          {"a\n{| never closed\n| x\n[[b]]", "a"},
          {"a | b {| c", "a | b {| c"}});
}

TEST(Wikitext, NumbersInTemplatesStay) {
  expect({{"winds of {{convert|125|mph}} and", "winds of 125 mph and"},
          {"{{convert|5|to|10|km|mi|abbr=on}}", "5 to 10 km"},
          {"{{convert|3|-|4|m|ft|0}}", "3–4 m"},
          {"{{convert|5|ft|10|in|cm}} tall", "5 ft 10 in tall"},
          {"{{convert|100|km2|sqmi|0}}", "100 km²"},
          {"{{convert|20|C|F}}", "20 °C"},
          {"{{formatnum:18}} and {{formatnum:1234567|R}} {{nts|5}}", "18 and 1234567 5"},
          {"{{unité|2000|m}}", "2000 m"},
          {"{{val|1.5|0.2|e=6|u=kg}} {{val|7|ul=m|up=s}}", "1.5 ± 0.2 × 10^6 kg 7 m/s"},
          {"{{nowrap|1 {{formatnum:500}} m}}", "1 500 m"},
          {"{{lang|fr|bonjour}} {{lang-de|Haus}} {{transl|ru|ISO|dom}}", "bonjour Haus dom"},
          {"{{birth date|1960|5|3}} {{birth date and age|df=yes|1960|5|3}}", "May 3, 1960 3 May 1960"},
          {"{{death date and age|2000|5|2|1960|5|3}}", "May 2, 2000 (aged 39)"},
          {"{{Start_date|1999}} {{as of|2010|6}} {{as of|2011|lc=y}}", "1999 As of June 2010 as of 2011"},
          {"aged {{age|1960|5|3|2000|5|3}}", "aged 40"},
          {"{{frac|1|2}} {{frac|3|1|2}} {{sfrac|5|6}}", "1/2 3 1/2 5/6"},
          {"{{circa|1500}} {{US$|5 million}} {{€|20}} {{ordinal|21}} {{ordinal|11}}",
           "c. 1500 US$5 million €20 21st 11th"},
          {"{{height|ft=5|in=10}} {{gaps|1|234|567}} {{km to mi|10|precision=1}}", "5 ft 10 in 1234567 10 km"},
          {"1900{{ndash}}1950{{snd}}x {{hlist|a|b}} {{abbr|km|kilometre}}", "1900–1950 – x a, b km"},
          {"{{nowrap|1=a=b}} {{nihongo|Tokyo|東京|Tōkyō}}", "a=b Tokyo (東京, Tōkyō)"},
          {"{{{param|default}}} {{{1}}}", "default"}});
}

TEST(Wikitext, OtherTemplatesGoAndAreCounted) {
  TemplateCounts dropped;
  const std::string text = wikitext_to_text(
      "{{Infobox person|name={{nowrap|X}}|age=5}}'''X''' ({{IPAc-en|x}}; born 1960{{citation needed}}) was "
      "({{lang-xyzzyxyzzyxyzzy}}).\n"
      "{{Cite_web|url=a}} {{#if:x|y}} {{cite web}}",
      {}, dropped);
  EXPECT_EQ(text, "X (born 1960) was.\n");
  EXPECT_EQ(dropped, (TemplateCounts{{"#if", 1},
                                     {"citation needed", 1},
                                     {"cite web", 2},
                                     {"infobox person", 1},
                                     {"ipac-en", 1},
                                     {"lang-xyzzyxyzzyxyzzy", 1}}));
}

TEST(Wikitext, UnbalancedMarkupStaysAsText) {
  expect({{"a {{unclosed [[link]] text", "a unclosed link text"},
          {"closed }} twice ]] here", "closed twice here"},
          {"{{nowrap|a [[unclosed }} b", "a unclosed b"},
          {"{ single } braces", "{ single } braces"}});
}

// Two million bytes of the same mark. Linear work takes milliseconds; quadratic work, 4e12 steps, would take an hour:
// the bound of 20 s tells them apart on any machine.
TEST(Wikitext, HostileInputTakesLinearTime) {
  const std::vector<std::string> pieces = {
      "{{",         "{{a|",      "}}",    "[[",   "[[a|", "]]",          "{|\n",         "|}\n",
      "{{{",        "}}}",       "<ref>", "<ref", "<!--", "<nowiki>",    "</ref>",       "'''",
      "[http://x ", "&",         "__",    "==\n", "(",    "( ,",         "{{nowrap|",    "<math>",
      "\n|",        "[[File:a|", "|",     "*",    "<",    "<pre></ref>", "{{convert|1|", "{{{a|"};
  for (const std::string& piece : pieces) {
    std::string hostile;
    while (hostile.size() < 500'000) {
      hostile += piece;
    }
    const auto begin = std::chrono::steady_clock::now();
    text_of(hostile);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    EXPECT_LT(seconds, 20) << piece;
  }
}

TEST(Wikitext, DepthIsBounded) {
  std::string nested = "x";
  for (int i = 0; i < 20; ++i) {
    nested = "{{nowrap|" + nested + "}}";
  }
  EXPECT_EQ(text_of(nested), "x");
  std::string deep;
  for (int i = 0; i < 100'000; ++i) {
    deep += "{{nowrap|";
  }
  EXPECT_FALSE(text_of(deep + "x").empty());
}

}  // namespace
}  // namespace trireme
