// SPDX-License-Identifier: Apache-2.0
// Wikitext: unbalanced braces, brackets, tags, tables; templates with odd arguments.
#include <string_view>

#include "data_pipeline/extract/normalize.h"
#include "data_pipeline/extract/wikitext.h"
#include "tests/fuzz/fuzz.h"

std::vector<std::string> fuzz_seeds() {
  return {
      // NOLINTNEXTLINE(bugprone-suspicious-missing-comma): one literal over two lines
      "'''Bold''' [[link|label]]s <ref name=\"x\">{{cite}}</ref> {{convert|5|to|10|km|mi}} [http://x y]\n== H ==\n* "
      "a\n",
      "{| class=x\n|-\n| a || {{nowrap|1 {{formatnum:5}}}}\n|}\n[[File:a.jpg|thumb|cap [[b]] c]]\n<!-- x "
      "--><nowiki>[[x]]</nowiki>",
      "{{birth date|1960|5|3|df=y}} {{death date and age|2000|1|2|1960|5|3}} {{val|1|2|e=3|u=m}} {{{p|d}}} "
      "{{lang|fr|x}}",
      "<math>x_{1}</math> 10<sup>6</sup> &nbsp;&#8211;&eacute; __TOC__ ----\n;a:b\n(; x) ( ) {{frac|1|2|3}} "
      "{{height|ft=5|in=2}}",
      "{{{{{{[[[[{|\n|}]]]]}}}}}} ''''' '' {{age|1|2|3|4|5|6}} {{circa|1900}} {{ordinal|11}} {{1=}} {{|}} [[|]] "
      "[[:a:b|]]"};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trireme;
  const std::string text = replace_invalid_utf8({reinterpret_cast<const char*>(data), size});
  TemplateCounts dropped;
  const std::string plain = wikitext_to_text(text, {}, dropped);
  fuzz::require(valid_utf8_prefix(plain) == plain.size(), "valid wikitext gave invalid UTF-8");
  for (const auto& [name, times] : dropped) {
    fuzz::require(valid_utf8_prefix(name) == name.size() && name.size() <= 64 && times > 0, "a bad template name");
  }
  // Nothing in the closed set expands without bound: a date's month is the longest growth.
  fuzz::require(plain.size() <= 64 + 8 * text.size(), "the text grew");
  return 0;
}
