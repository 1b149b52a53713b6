// SPDX-License-Identifier: Apache-2.0
// Keyed randomness: a pure function of (seed, purpose, index), so that there is no generator state to save.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace trireme {

/// Philox4x32-10 (Salmon et al. 2011): four 32-bit words from a 128-bit counter and a 64-bit key.
std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key);

/// Independent streams of randomness, each a function of an index.
class Random {
 public:
  /// `purpose` names what the numbers are for: "init blocks.0.mlp.up.weight", "order".
  Random(std::uint64_t seed, std::string_view purpose);

  std::uint64_t bits(std::uint64_t index) const;
  /// In [0, bound), without bias worth speaking of (bound well below 2^64); bound >= 1.
  std::uint64_t below(std::uint64_t index, std::uint64_t bound) const;
  /// In [0, 1), 53 bits.
  double uniform(std::uint64_t index) const;
  /// Standard normal (Box and Muller 1958).
  double normal(std::uint64_t index) const;

 private:
  std::array<std::uint32_t, 2> key_;
  std::uint64_t stream_;
};

}  // namespace trireme
