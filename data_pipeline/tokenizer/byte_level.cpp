// SPDX-License-Identifier: Apache-2.0
// Bytes that print (33-126, 161-172, 174-255) spell themselves; the other 68 are U+0100 onwards, in order.
#include "data_pipeline/tokenizer/byte_level.h"

#include <array>
#include <cstdint>

namespace trireme {
namespace {

struct Spelling {
  std::array<std::uint16_t, 256> code_of_byte;
  std::array<std::int16_t, 0x144> byte_of_code;
};

constexpr Spelling make_spelling() {
  Spelling s{};
  for (auto& byte : s.byte_of_code) byte = -1;
  std::uint16_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const bool prints = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    const auto code = prints ? static_cast<std::uint16_t>(byte) : next++;
    s.code_of_byte[static_cast<std::size_t>(byte)] = code;
    s.byte_of_code[code] = static_cast<std::int16_t>(byte);
  }
  return s;
}

constexpr Spelling kSpelling = make_spelling();

}  // namespace

std::optional<std::string> from_byte_level(std::string_view spelled) {
  std::string bytes;
  bytes.reserve(spelled.size());
  for (std::size_t i = 0; i < spelled.size(); ++i) {
    std::uint32_t code = static_cast<unsigned char>(spelled[i]);
    if (code >= 0xC0 && code < 0xE0 && i + 1 < spelled.size()) {
      code = (code & 0x1FU) << 6 | (static_cast<unsigned char>(spelled[++i]) & 0x3FU);
    } else if (code >= 0x80) {
      return std::nullopt;
    }
    if (code >= kSpelling.byte_of_code.size() || kSpelling.byte_of_code[code] < 0) return std::nullopt;
    bytes += static_cast<char>(kSpelling.byte_of_code[code]);
  }
  return bytes;
}

std::string to_byte_level(std::string_view bytes) {
  std::string spelled;
  for (const char c : bytes) {
    const std::uint16_t code = kSpelling.code_of_byte[static_cast<unsigned char>(c)];
    if (code < 0x80) {
      spelled += static_cast<char>(code);
    } else {
      spelled += static_cast<char>(0xC0 | code >> 6);
      spelled += static_cast<char>(0x80 | (code & 0x3F));
    }
  }
  return spelled;
}

}  // namespace trireme
