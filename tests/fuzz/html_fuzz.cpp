// SPDX-License-Identifier: Apache-2.0
// HTML and its character sets: the guard, the parser's memory, the walk.
#include "data_pipeline/extract/charset.h"
#include "data_pipeline/extract/html_text.h"
#include "tests/fuzz/fuzz.h"

std::vector<std::string> fuzz_seeds() {
  return {// NOLINTNEXTLINE(bugprone-suspicious-missing-comma): one literal over two lines
          "<!DOCTYPE html><html><head><meta "
          "charset=\"utf-8\"><title>t</title></head><body><p>one<p>two<ul><li>a<li>b</ul></body>",
          "<table><tr><td>a<td>b<tr><th>c</table><pre> x\n  y</pre><script>if (a < b) {}</script><div hidden>x</div>",
          "<form><p>all</p><select><option>a<option>b</select></form><svg><title><div>x</div></title></svg><math><mi>y",
          "<b><i><a href=x><p>m</b>n</i></a><template><tr></template><!-- c --><![CDATA[d]]><font size=1 "
          "color='red'>q</font>",
          "<meta http-equiv=content-type content='text/html; charset=iso-8859-1'>caf\xe9 &eacute; &#x2013; <br/> "
          "<textarea></p>"};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trireme;
  std::string utf8;
  const std::string_view page(reinterpret_cast<const char*>(data), size);
  if (html_to_utf8(page, "", InvalidUtf8::replace, utf8) != CharsetVerdict::decoded) {
    utf8 = replace_invalid_utf8(page);
  }
  fuzz::require(valid_utf8_prefix(utf8) == utf8.size(), "a decoded page that is not UTF-8");
  std::string text;
  if (html_to_text(utf8, text).empty()) {
    fuzz::require(normalize_text(text, InvalidUtf8::fail) != "invalid UTF-8", "the page's text is not UTF-8");
  }
  return 0;
}
