// SPDX-License-Identifier: Apache-2.0
#include "core/base/rng.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace trireme {
namespace {

// Known answers published with the Random123 library for philox4x32-10.
TEST(Philox, MatchesTheKnownAnswers) {
  using Words = std::array<std::uint32_t, 4>;
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, IsKeyedBySeedPurposeAndIndex) {
  std::set<std::uint64_t> seen;
  for (const std::uint64_t seed : {1U, 2U}) {
    for (const auto* purpose : {"a", "b"}) {
      for (std::uint64_t i = 0; i < 100; ++i) seen.insert(Random(seed, purpose).bits(i));
    }
  }
  EXPECT_EQ(seen.size(), 400U);
  EXPECT_EQ(Random(7, "x").bits(3), Random(7, "x").bits(3));
}

TEST(Random, MomentsWithinFiveStandardErrors) {
  const Random random(1, "moments");
  const int n = 100000;
  double sum = 0, squares = 0, uniforms = 0;
  std::array<int, 7> counts{};
  for (int i = 0; i < n; ++i) {
    const double z = random.normal(static_cast<std::uint64_t>(i));
    sum += z;
    squares += z * z;
    uniforms += random.uniform(static_cast<std::uint64_t>(i));
    ++counts.at(random.below(static_cast<std::uint64_t>(i), 7));
  }
  EXPECT_NEAR(sum / n, 0.0, 5 / std::sqrt(n));
  EXPECT_NEAR(squares / n, 1.0, 5 * std::sqrt(2.0 / n));
  EXPECT_NEAR(uniforms / n, 0.5, 5 * std::sqrt(1.0 / 12 / n));
  for (const int c : counts) EXPECT_NEAR(c, n / 7.0, 5 * std::sqrt(n / 7.0));
}

}  // namespace
}  // namespace trireme
