// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/loader/order.h"

#include <algorithm>
#include <bit>

#include "core/base/error.h"
#include "core/base/rng.h"

namespace trireme {
namespace {

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014): each input bit changes each output bit about half the
/// time.
std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31U);
}

}  // namespace

Permutation::Permutation(std::uint64_t n, std::uint64_t seed, std::string_view purpose) : n_(n) {
  check(n >= 1 && n <= std::uint64_t{1} << 62U, "a permutation of {} elements, 1 to 2^62 expected", n);
  const auto bits = static_cast<unsigned>(std::bit_width(n - 1));
  half_bits_ = std::max(1U, (bits + 1) / 2);
  half_mask_ = (std::uint64_t{1} << half_bits_) - 1;
  const Random random(seed, purpose);
  for (std::size_t round = 0; round < kRounds; ++round) keys_[round] = random.bits(round);
}

std::uint64_t Permutation::network(std::uint64_t value) const {
  std::uint64_t left = value >> half_bits_;
  std::uint64_t right = value & half_mask_;
  for (const std::uint64_t key : keys_) {
    // The upper bits of the product are the well-mixed ones.
    const std::uint64_t next = left ^ (mix(right + key) >> (64 - half_bits_));
    left = right;
    right = next;
  }
  return left << half_bits_ | right;
}

std::uint64_t Permutation::operator()(std::uint64_t position) const {
  check(position < n_, "position {} of a permutation of {}", position, n_);
  if (n_ == 1) return 0;
  std::uint64_t value = network(position);
  while (value >= n_) value = network(value);
  return value;
}

}  // namespace trireme
