// SPDX-License-Identifier: Apache-2.0
// JSON lines and paragraphs of text.
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/read_whole.h"

std::vector<std::string> fuzz_seeds() {
  return {"{\"text\": \"one\", \"id\": 1, \"m\": {\"a\": [1, 2.5, true, null]}}\n{\"text\": \"two\"}\n",
          "\xef\xbb\xbf{\"text\": \"\\u00e9\\ud83d\\ude00\", \"url\": \"http://a\"}\r\n",
          "{\"text\": 5}\n[]\n\"x\"\n\n{}\n", "{\"a\":{\"a\":{\"a\":[[[[]]]]}},\"text\":\"e\xcc\x81\"}"};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  trireme::fuzz::read_whole(data, size, trireme::SourceKind::jsonl);
  trireme::fuzz::read_whole(data, size, trireme::SourceKind::text);
  return 0;
}
