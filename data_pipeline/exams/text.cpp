// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/exams/text.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace trireme {
namespace {

// The 29 code points for which str.isspace holds: 9-13, 28-32, 85, A0, 1680, 2000-200A, 2028, 2029, 202F, 205F, 3000.
bool is_space(std::uint32_t c) {
  return (c >= 9 && c <= 13) || (c >= 28 && c <= 32) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

std::uint32_t byte_at(std::string_view text, std::size_t i) { return static_cast<unsigned char>(text[i]); }

/// Bytes of the white space that begins at i; 0 when what begins there is none.
std::size_t space_at(std::string_view text, std::size_t i) {
  const auto a = byte_at(text, i);
  if (a < 0x80) return is_space(a) ? 1 : 0;
  const auto left = text.size() - i;
  if (a >= 0xc2 && a < 0xe0 && left >= 2) return is_space((a & 0x1fU) << 6U | (byte_at(text, i + 1) & 0x3fU)) ? 2 : 0;
  if (a >= 0xe0 && a < 0xf0 && left >= 3) {
    const auto c = (a & 0xfU) << 12U | (byte_at(text, i + 1) & 0x3fU) << 6U | (byte_at(text, i + 2) & 0x3fU);
    return is_space(c) ? 3 : 0;
  }
  return 0;
}

}  // namespace

std::string_view strip_end(std::string_view text) {
  for (;;) {
    std::size_t cut = 0;
    for (std::size_t bytes = 1; bytes <= std::min<std::size_t>(3, text.size()) && cut == 0; ++bytes) {
      if (space_at(text, text.size() - bytes) == bytes) cut = bytes;
    }
    if (cut == 0) return text;
    text.remove_suffix(cut);
  }
}

std::string_view strip(std::string_view text) {
  text = strip_end(text);
  while (!text.empty()) {
    const auto bytes = space_at(text, 0);
    if (bytes == 0) break;
    text.remove_prefix(bytes);
  }
  return text;
}

std::size_t code_points(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

}  // namespace trireme
