// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/dedup/exact.h"

#include <gtest/gtest.h>

#include <mutex>
#include <set>

#include "core/base/rng.h"
#include "parallel/parallel.h"

namespace trireme {
namespace {

using Units = std::vector<std::vector<Hash128>>;

/// Hashes from few values, so that many are equal; some differ in the lower half alone.
Units random_units(std::uint64_t seed, std::size_t units) {
  const Random random(seed, "units");
  Units all(units);
  std::uint64_t n = 0;
  for (std::size_t u = 0; u < units; ++u) {
    all[u].resize(random.below(n++, 50));
    for (Hash128& hash : all[u]) {
      hash.high = random.bits(random.below(n++, 300)) & ~std::uint64_t{7};
      hash.low = random.below(n++, 2);
    }
  }
  return all;
}

/// One rank, one pass, a set.
std::vector<std::vector<bool>> by_hand(const Units& units) {
  std::set<Hash128> seen;
  std::vector<std::vector<bool>> copies;
  for (const auto& unit : units) {
    auto& row = copies.emplace_back();
    for (const Hash128& hash : unit) row.push_back(!seen.insert(hash).second);
  }
  return copies;
}

TEST(FindDuplicates, TheFirstStaysWhateverTheRanksAndTheRounds) {
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    const Units units = random_units(seed, 23);
    const auto expected = by_hand(units);
    for (const int ranks : {1, 2, 3, 4}) {
      for (const std::uint64_t round_bytes : {std::uint64_t{200}, std::uint64_t{3000}, kDedupRoundBytes}) {
        run_thread_ranks(ranks, [&](Group& world) {
          const auto found = find_duplicates(
              world, units.size(), [&](std::uint64_t u) { return units[u]; }, round_bytes);
          EXPECT_EQ(found, expected) << ranks << " ranks, rounds of " << round_bytes;
        });
      }
    }
  }
}

TEST(FindDuplicates, AsksForEachUnitOnce) {
  std::mutex mutex;
  std::multiset<std::uint64_t> asked;
  run_thread_ranks(3, [&](Group& world) {
    find_duplicates(world, 10, [&](std::uint64_t u) {
      const std::lock_guard lock(mutex);
      asked.insert(u);
      return std::vector<Hash128>{};
    });
    EXPECT_TRUE(find_duplicates(world, 0, {}).empty());
  });
  EXPECT_EQ(asked, (std::multiset<std::uint64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

}  // namespace
}  // namespace trireme
