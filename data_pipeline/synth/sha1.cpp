// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/synth/sha1.h"

#include <bit>
#include <cstddef>

namespace trireme::synth {

namespace {

void add_block(std::array<std::uint32_t, 5>& state, std::string_view block) {
  std::array<std::uint32_t, 80> w{};
  for (std::size_t i = 0; i < 64; ++i) w[i / 4] = w[i / 4] << 8U | static_cast<std::uint8_t>(block[i]);
  for (std::size_t i = 16; i < 80; ++i) w[i] = std::rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
  auto [a, b, c, d, e] = state;
  for (std::size_t i = 0; i < 80; ++i) {
    std::uint32_t f = 0;
    if (i < 20) {
      f = ((b & c) | (~b & d)) + 0x5A827999U;
    } else if (i < 40) {
      f = (b ^ c ^ d) + 0x6ED9EBA1U;
    } else if (i < 60) {
      f = ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDCU;
    } else {
      f = (b ^ c ^ d) + 0xCA62C1D6U;
    }
    const std::uint32_t next = std::rotl(a, 5) + f + e + w[i];
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  }
  state = {state[0] + a, state[1] + b, state[2] + c, state[3] + d, state[4] + e};
}

}  // namespace

Sha1 sha1(std::string_view bytes) {
  std::array<std::uint32_t, 5> state{0x67452301U, 0xEFCDAB89U, 0x98BADCFEU, 0x10325476U, 0xC3D2E1F0U};
  std::string tail{bytes.substr(bytes.size() / 64 * 64)};
  for (std::size_t i = 0; i + 64 <= bytes.size(); i += 64) add_block(state, bytes.substr(i, 64));
  tail += '\x80';
  while (tail.size() % 64 != 56) tail += '\0';
  const std::uint64_t bits = std::uint64_t{bytes.size()} * 8;
  for (unsigned shift = 64; shift > 0; shift -= 8) tail += static_cast<char>(bits >> (shift - 8) & 0xFFU);
  for (std::size_t i = 0; i < tail.size(); i += 64) add_block(state, std::string_view(tail).substr(i, 64));
  Sha1 digest{};
  for (std::size_t i = 0; i < 20; ++i) digest[i] = static_cast<std::uint8_t>(state[i / 4] >> (24 - i % 4 * 8));
  return digest;
}

std::string base32(const Sha1& digest) {
  std::string text;
  for (std::size_t bit = 0; bit < 160; bit += 5) {
    unsigned value = 0;
    for (std::size_t i = bit; i < bit + 5; ++i) value = value << 1U | (digest[i / 8] >> (7 - i % 8) & 1U);
    text += "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[value];
  }
  return text;
}

std::string base36(const Sha1& digest) {
  std::string text(31, '0');
  Sha1 left = digest;
  for (std::size_t place = text.size(); place > 0; --place) {
    unsigned rest = 0;  // long division of the 160-bit number by 36
    for (std::uint8_t& byte : left) {
      const unsigned value = rest << 8U | byte;
      byte = static_cast<std::uint8_t>(value / 36);
      rest = value % 36;
    }
    text[place - 1] = "0123456789abcdefghijklmnopqrstuvwxyz"[rest];
  }
  return text;
}

}  // namespace trireme::synth
