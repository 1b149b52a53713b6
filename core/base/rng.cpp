// SPDX-License-Identifier: Apache-2.0
#include "core/base/rng.h"

#include <cmath>
#include <numbers>

namespace trireme {
namespace {

// FNV-1a: purposes are a handful of short names, and equal names must give equal streams everywhere.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

std::uint64_t join(std::uint32_t low, std::uint32_t high) { return low | (static_cast<std::uint64_t>(high) << 32U); }
std::uint32_t low_word(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
std::uint32_t high_word(std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32U); }
double unit(std::uint64_t bits) { return static_cast<double>(bits >> 11U) * 0x1.0p-53; }

}  // namespace

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> c, std::array<std::uint32_t, 2> k) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = 0xD2511F53ULL * c[0];
    const std::uint64_t p1 = 0xCD9E8D57ULL * c[2];
    c = {high_word(p1) ^ c[1] ^ k[0], low_word(p1), high_word(p0) ^ c[3] ^ k[1], low_word(p0)};
    k = {k[0] + 0x9E3779B9U, k[1] + 0xBB67AE85U};
  }
  return c;
}

Random::Random(std::uint64_t seed, std::string_view purpose)
    : key_{low_word(seed), high_word(seed)}, stream_(hash_of(purpose)) {}

std::uint64_t Random::bits(std::uint64_t index) const {
  const auto r = philox({low_word(index), high_word(index), low_word(stream_), high_word(stream_)}, key_);
  return join(r[0], r[1]);
}

std::uint64_t Random::below(std::uint64_t index, std::uint64_t bound) const {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>((static_cast<Wide>(bits(index)) * bound) >> 64U);
}

double Random::uniform(std::uint64_t index) const { return unit(bits(index)); }

double Random::normal(std::uint64_t index) const {
  const auto r = philox({low_word(index), high_word(index), low_word(stream_), high_word(stream_)}, key_);
  const double radius = std::sqrt(-2.0 * std::log1p(-unit(join(r[0], r[1]))));
  return radius * std::cos(2.0 * std::numbers::pi * unit(join(r[2], r[3])));
}

}  // namespace trireme
