// SPDX-License-Identifier: Apache-2.0
// A sequence of keyed random choices for one page, name list or split: integers only, the same on every platform.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/rng.h"

namespace trireme::synth {

class Draws {
 public:
  /// The draws of (seed, purpose, item): independent of every other item's and of how many they took.
  Draws(std::uint64_t seed, std::string_view purpose, std::uint64_t item = 0)
      : random_(seed, purpose), next_(item << 24) {}

  /// Uniform in [0, bound); bound >= 1.
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(random_.below(next_++, bound)); }
  /// Uniform in [low, high].
  std::size_t between(std::size_t low, std::size_t high) { return low + below(high - low + 1); }
  bool percent(unsigned chance) { return below(100) < chance; }

  /// In [0, bound), rank r about as likely as 1 / (r + 1): the long tail of a natural text.
  std::size_t skewed(std::size_t bound) {
    unsigned octaves = 0;
    while ((std::size_t{1} << octaves) <= bound) ++octaves;
    const std::size_t octave = below(octaves);
    const std::size_t rank = (std::size_t{1} << octave) - 1 + below(std::size_t{1} << octave);
    return rank < bound ? rank : below(bound);
  }

  template <class T>
  const T& pick(const std::vector<T>& from) {
    return from[below(from.size())];
  }
  template <class T, std::size_t n>
  const T& pick(const T (&from)[n]) {
    return from[below(n)];
  }

  template <class T>
  void shuffle(std::vector<T>& items) {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

 private:
  Random random_;
  std::uint64_t next_;
};

}  // namespace trireme::synth
