// SPDX-License-Identifier: Apache-2.0
#include "core/train/tensor_digest.h"

#include <bit>

namespace trireme {
namespace {

/// A bijection of 64-bit words that spreads every bit (the finalizer of SplitMix64; Steele et al. 2014).
std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31U);
}

}  // namespace

void TensorDigest::add(const float* elements, std::int64_t index, std::size_t count) {
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  const auto begin = static_cast<std::uint64_t>(index);
  for (std::size_t k = 0; k < count; ++k) {
    const std::uint64_t bits = std::bit_cast<std::uint32_t>(elements[k]);
    const std::uint64_t word = mix((begin + k) * 0x9e3779b97f4a7c15U + bits);
    a += word;
    b += mix(word + 0x632be59bd9b4e019U);
  }
  first += a;
  second += b;
}

}  // namespace trireme
