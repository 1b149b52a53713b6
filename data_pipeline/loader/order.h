// SPDX-License-Identifier: Apache-2.0
// A shuffle without an index: position -> sample by a keyed permutation that is computed, never stored.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace trireme {

/// A bijection of [0, n), a pure function of (seed, purpose). A balanced Feistel network on the smallest even number of
/// bits that holds n (Luby and Rackoff 1988), walked along its cycle until the value lies in [0, n) (Black and Rogaway
/// 2002): the network's domain is below 4 n (n > 1), so fewer than 4 steps on average. 1 <= n <= 2^62.
class Permutation {
 public:
  Permutation(std::uint64_t n, std::uint64_t seed, std::string_view purpose);

  std::uint64_t size() const { return n_; }
  /// The element at `position`; both below size().
  std::uint64_t operator()(std::uint64_t position) const;

 private:
  static constexpr std::size_t kRounds = 8;

  std::uint64_t network(std::uint64_t value) const;

  std::uint64_t n_;
  unsigned half_bits_;
  std::uint64_t half_mask_;
  std::array<std::uint64_t, kRounds> keys_;
};

}  // namespace trireme
