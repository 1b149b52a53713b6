// SPDX-License-Identifier: Apache-2.0
// Tokenizer files of both kinds. The first byte chooses a pattern, or none; what is accepted must encode and decode the
// input itself.
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "data_pipeline/tokenizer/bpe_trainer.h"
#include "data_pipeline/tokenizer/hf_tokenizer_file.h"
#include "data_pipeline/tokenizer/tokenizer.h"
#include "tests/fuzz/fuzz.h"

namespace {

constexpr char kGiven = '\x80';  // of the first byte: a pattern is given, which its lowest bits choose

/// The 256 bytes as ranks, and three tokens more.
std::string ranks() {
  const std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string lines;
  for (std::size_t byte = 0; byte < 256; ++byte) {
    lines += {digits[byte >> 2], digits[(byte & 3U) << 4]};
    lines += "== " + std::to_string(byte) + "\n";
  }
  return lines + "YWI= 256\nYmM= 257\nYWJj 258\n";
}

}  // namespace

std::vector<std::string> fuzz_seeds() {
  using namespace trireme;
  std::vector<std::string> seeds = {kGiven + ranks(), "YQ== 0\n", "{}"};
  for (const Pattern pattern : {Pattern::gpt2, Pattern::o200k}) {
    PieceCounter pieces;
    pieces.add(pattern, "oars and oarsmen and boats and boatmen");
    seeds.push_back(" " + format_hf_tokenizer(train_bpe(pieces, {.pattern = pattern, .vocab_size = 270})));
  }
  return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trireme;
  if (size == 0) return 0;
  const std::string_view content(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto first = static_cast<char>(data[0]);
  const auto pattern = static_cast<Pattern>(data[0] & 3U);
  try {
    const Tokenizer tokenizer =
        Tokenizer::parse(content, "input", first & kGiven ? std::optional(pattern) : std::nullopt);
    for (const SpecialTokens special : {SpecialTokens::as_text, SpecialTokens::recognised}) {
      fuzz::require(tokenizer.decode(tokenizer.encode(content, special)) == content, "decoding gives back the text");
    }
  } catch (const Error&) {  // refused, as it may be
  }
  return 0;
}
