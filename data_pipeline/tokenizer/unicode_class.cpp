// SPDX-License-Identifier: Apache-2.0
// Spreads the generated runs of classes into a flat table, which the scanners index by code point.
#include "data_pipeline/tokenizer/unicode_class.h"

#include <vector>

namespace trireme {
namespace {

// In the order of the classes in make_unicode_table.py.
constexpr std::array<std::uint8_t, 8> kFlagsOfClass = {
    0,                          // symbol
    kLetter | kUpper,           // Lu, Lt
    kLetter | kLower,           // Ll
    kLetter | kUpper | kLower,  // Lm, Lo
    kMark | kUpper | kLower,    // M
    kNumber,                    // N
    kSpace,                     // \s but for the two below
    kSpace | kNewline,          // \r, \n
};

std::vector<std::uint8_t> spread() {
  std::vector<std::uint8_t> flags(0x110000);
  for (std::size_t i = 0; i < kUnicodeRuns; ++i) {
    const std::size_t first = kUnicodeRunStarts[i] >> 3;
    const std::size_t last = i + 1 < kUnicodeRuns ? kUnicodeRunStarts[i + 1] >> 3 : flags.size();
    const std::uint8_t value = kFlagsOfClass[kUnicodeRunStarts[i] & 7U];
    for (std::size_t code = first; code < last; ++code) flags[code] = value;
  }
  return flags;
}

}  // namespace

const std::uint8_t* unicode_flags() {
  static const std::vector<std::uint8_t> flags = spread();
  return flags.data();
}

}  // namespace trireme
