// SPDX-License-Identifier: Apache-2.0
// Processor time of encoding texts, one round per line of standard input, for tokenizer_bench.py, which runs another
// tokenizer in between. Arguments: TOKENIZER TEXTS, a file of u32 lengths each followed by a text. "cold" forgets all
// pieces first.
#include <cstdio>
#include <cstring>
#include <ctime>
#include <iostream>
#include <string>
#include <vector>

#include "core/io/atomic_file.h"
#include "data_pipeline/tokenizer/tokenizer.h"

int main(int argc, char** argv) {
  using namespace trireme;
  if (argc != 3) return 2;
  try {
    const std::string packed = read_file(argv[2], std::uint64_t{1} << 30);
    std::vector<std::string_view> texts;
    for (std::size_t at = 0; at + 4 <= packed.size();) {
      std::uint32_t length = 0;
      std::memcpy(&length, packed.data() + at, 4);
      texts.push_back(std::string_view(packed).substr(at + 4, length));
      at += 4 + std::size_t{length};
    }
    Tokenizer tokenizer = Tokenizer::load(argv[1]);
    std::vector<std::uint32_t> ids;
    for (std::string line; std::getline(std::cin, line);) {
      if (line == "cold") tokenizer = Tokenizer(tokenizer.model(), argv[1]);
      std::size_t tokens = 0;
      const std::clock_t start = std::clock();
      for (const std::string_view text : texts) {
        ids.clear();
        tokenizer.encode(text, ids);
        tokens += ids.size();
      }
      const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
      std::cout << seconds << " " << tokens << std::endl;
    }
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
  return 0;
}
