// SPDX-License-Identifier: Apache-2.0
// Encodes framed texts from standard input, so that another program can compare ids: u32 length and bytes in, u32 count
// and u32 ids out, little-endian. Arguments: TOKENIZER [PATTERN or "-" [special]].
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "data_pipeline/tokenizer/tokenizer.h"

int main(int argc, char** argv) {
  using namespace trireme;
  try {
    const auto pattern = argc > 2 ? pattern_of_name(argv[2]) : std::nullopt;
    const auto special = argc > 3 ? SpecialTokens::recognised : SpecialTokens::as_text;
    const Tokenizer tokenizer = Tokenizer::load(argv[1], pattern);
    std::uint32_t length = 0;
    std::string text;
    std::vector<std::uint32_t> ids;
    while (std::fread(&length, 4, 1, stdin) == 1) {
      text.resize(length);
      if (std::fread(text.data(), 1, length, stdin) != length) return 1;
      ids.clear();
      tokenizer.encode(text, ids, special);
      const auto count = static_cast<std::uint32_t>(ids.size());
      std::fwrite(&count, 4, 1, stdout);
      std::fwrite(ids.data(), 4, ids.size(), stdout);
      std::fflush(stdout);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
