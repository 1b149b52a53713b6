// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/loader/order.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <unordered_set>
#include <vector>

#include "tests/core/io/expect_error.h"

namespace trireme {
namespace {

TEST(Permutation, IsABijectionForEverySmallSize) {
  for (std::uint64_t n = 1; n <= 2000; ++n) {
    const Permutation order(n, n * 7, "order");
    std::vector<bool> seen(n);
    for (std::uint64_t i = 0; i < n; ++i) {
      const std::uint64_t value = order(i);
      ASSERT_LT(value, n);
      ASSERT_FALSE(seen[value]) << "n = " << n << ", position " << i;
      seen[value] = true;
    }
  }
}

TEST(Permutation, LargeSizesStayInRangeAndDoNotCollide) {
  for (const std::uint64_t n : {std::uint64_t{65536}, std::uint64_t{65537}, (std::uint64_t{1} << 32U) - 1,
                                (std::uint64_t{1} << 32U) + 1, std::uint64_t{1830000001}, std::uint64_t{1} << 62U}) {
    const Permutation order(n, 3, "order");
    std::unordered_set<std::uint64_t> seen;
    for (std::uint64_t i = 0; i < 30000; ++i) {
      const std::uint64_t position = n - 1 - i * (n / 30000);
      const std::uint64_t value = order(position);
      ASSERT_LT(value, n);
      ASSERT_TRUE(seen.insert(value).second) << "n = " << n;
    }
  }
}

TEST(Permutation, DependsOnSeedAndPurpose) {
  const Permutation a(1000000, 1, "a"), b(1000000, 2, "a"), c(1000000, 1, "b"), again(1000000, 1, "a");
  int same_seed = 0, same_purpose = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(a(i), again(i));
    same_seed += a(i) == b(i);
    same_purpose += a(i) == c(i);
  }
  EXPECT_LT(same_seed, 5);  // 0.001 expected
  EXPECT_LT(same_purpose, 5);
}

// Over many seeds each element is equally likely at each position: chi-square with n - 1 = 9 degrees of freedom per
// position; the sum over 10 positions has at most 90 and, as the rows sum to a constant, 81. Mean 81, deviation
// sqrt(2 * 81) = 12.7; five deviations above is 145.
TEST(Permutation, IsUniformOverSeedsForASmallSize) {
  constexpr std::uint64_t kSize = 10, kSeeds = 20000;
  constexpr double kExpected = double{kSeeds} / kSize;
  std::vector<double> counts(kSize * kSize);
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    const Permutation order(kSize, seed, "order");
    for (std::uint64_t i = 0; i < kSize; ++i) counts[i * kSize + order(i)] += 1;
  }
  double chi_square = 0;
  for (const double count : counts) chi_square += std::pow(count - kExpected, 2) / kExpected;
  EXPECT_LT(chi_square, 145);
  EXPECT_GT(chi_square, 81 - 5 * 12.7);
}

// Neighbouring positions are as far apart as independent ones: the mean distance of two uniform numbers in [0, n) is
// n/3, its deviation n/sqrt(18) for one and n/sqrt(18 * count) for the mean of count.
TEST(Permutation, NeighboursAreNotNeighbours) {
  constexpr std::uint64_t kSize = 1000003;
  const Permutation order(kSize, 11, "order");
  constexpr int kCount = 20000;
  double sum = 0;
  for (std::uint64_t i = 0; i < kCount; ++i) {
    sum += std::abs(static_cast<double>(order(2 * i)) - static_cast<double>(order(2 * i + 1)));
  }
  EXPECT_NEAR(sum / kCount / kSize, 1.0 / 3, 5 / std::sqrt(18.0 * kCount));
}

TEST(Permutation, RefusesWhatItCannotDo) {
  testing::expect_error([] { Permutation(0, 1, "order"); }, {"0 elements"});
  testing::expect_error([] { Permutation((std::uint64_t{1} << 62U) + 1, 1, "order"); }, {"2^62"});
  testing::expect_error([] { Permutation(5, 1, "order")(5); }, {"position 5 of a permutation of 5"});
}

}  // namespace
}  // namespace trireme
