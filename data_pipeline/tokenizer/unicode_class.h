// SPDX-License-Identifier: Apache-2.0
// What the pre-tokenisers need to know of a code point: one byte of flags, from a pinned Unicode version.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace trireme {

inline constexpr std::size_t kUnicodeRuns = 3194;

/// Sorted `first code point << 3 | class` of every run of one class; unicode_table.cpp is generated.
extern const std::array<std::uint32_t, kUnicodeRuns> kUnicodeRunStarts;

/// Flags of a code point. A symbol (what no class of the patterns names, invalid bytes included) has none.
inline constexpr std::uint8_t kLetter = 1;   ///< \p{L}
inline constexpr std::uint8_t kNumber = 2;   ///< \p{N}
inline constexpr std::uint8_t kSpace = 4;    ///< \s
inline constexpr std::uint8_t kNewline = 8;  ///< [\r\n]
inline constexpr std::uint8_t kMark = 16;    ///< \p{M}
inline constexpr std::uint8_t kUpper = 32;   ///< [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]
inline constexpr std::uint8_t kLower = 64;   ///< [\p{Ll}\p{Lm}\p{Lo}\p{M}]

/// Flags of all 0x110000 code points, built at the first call; valid for the life of the process.
const std::uint8_t* unicode_flags();

/// One step through text: the flags of the code point and its length in bytes.
struct Scanned {
  std::uint8_t flags;
  std::uint8_t length;
};

/// Reads the code point at p < end. A byte that begins no well-formed UTF-8 sequence (overlong forms and surrogates
/// included) counts as a symbol of one byte.
inline Scanned scan_code_point(const std::uint8_t* p, const std::uint8_t* end, const std::uint8_t* flags) {
  const std::uint32_t a = p[0];
  if (a < 0x80) return {flags[a], 1};
  const std::ptrdiff_t left = end - p;
  const auto continues = [&](int i) { return (p[i] & 0xC0U) == 0x80U; };
  if (a < 0xE0) {
    if (a < 0xC2 || left < 2 || !continues(1)) return {0, 1};
    return {flags[(a & 0x1FU) << 6 | (p[1] & 0x3FU)], 2};
  }
  if (a < 0xF0) {
    if (left < 3 || !continues(1) || !continues(2)) return {0, 1};
    const std::uint32_t code = (a & 0x0FU) << 12 | (p[1] & 0x3FU) << 6 | (p[2] & 0x3FU);
    if (code < 0x800 || (code >= 0xD800 && code < 0xE000)) return {0, 1};
    return {flags[code], 3};
  }
  if (a > 0xF4 || left < 4 || !continues(1) || !continues(2) || !continues(3)) return {0, 1};
  const std::uint32_t code = (a & 0x07U) << 18 | (p[1] & 0x3FU) << 12 | (p[2] & 0x3FU) << 6 | (p[3] & 0x3FU);
  if (code < 0x10000 || code > 0x10FFFF) return {0, 1};
  return {flags[code], 4};
}

}  // namespace trireme
