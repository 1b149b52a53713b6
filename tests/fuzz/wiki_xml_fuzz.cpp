// SPDX-License-Identifier: Apache-2.0
// MediaWiki XML: broken tags, entities, document types, depth.
#include "tests/data_pipeline/source/raw_bytes.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/read_whole.h"

std::vector<std::string> fuzz_seeds() {
  using namespace trireme::testing;
  const std::string pages = wiki_page("A", 0, "one &amp; {{convert|1|km}}") + wiki_page("B", 4, "#REDIRECT", true);
  return {
      wiki_head() + pages + "</mediawiki>", pages + wiki_page("C", 0, "x"),
      "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><!DOCTYPE m [<!ENTITY a \"b\">]>" + wiki_head() + pages,
      "<mediawiki><page><title>T</title><!-- c --><![CDATA[x]]><revision><text>y</text></revision></page></mediawiki>"};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  trireme::fuzz::read_whole(data, size, trireme::SourceKind::wiki);
  return 0;
}
