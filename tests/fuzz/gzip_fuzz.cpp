// SPDX-License-Identifier: Apache-2.0
// Compressed files: gzip members, bzip2 streams, zstd frames, whole, cut and flipped.
#include "tests/data_pipeline/source/raw_bytes.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/read_whole.h"

std::vector<std::string> fuzz_seeds() {
  using namespace trireme::testing;
  const std::string one = wet_record("http://a", "first");
  const std::string two = wet_record("http://b", std::string(100, 'b'));
  const std::string page = wiki_head() + wiki_page("T", 0, "text");
  return {gzip(one) + gzip(two) + gzip(one),
          gzip(one + two),
          gzip("{\"text\": \"a\"}\n") + gzip("{\"text\": \"b\"}\n"),
          zstd("{\"text\": \"a\"}\n") + zstd("{\"text\": \"b\"}\n{\"text\": \"c\"}\n"),
          bzip2(page) + bzip2(wiki_page("U", 0, "more")) + bzip2("</mediawiki>"),
          one + two};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using trireme::SourceKind;
  const auto kind = size > 2 && data[0] == 'B'    ? SourceKind::wiki
                    : size > 2 && data[0] == 0x28 ? SourceKind::jsonl
                                                  : SourceKind::wet;
  trireme::fuzz::read_whole(data, size, kind);
  return 0;
}
