// SPDX-License-Identifier: Apache-2.0
// Which shared memory a tensor lies in, and whose problem keeps a group from sharing.
#include "parallel/shared_ranges.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace trireme {
namespace {

TEST(SharedRanges, FindWhatLiesInOneOfThem) {
  std::vector<std::byte> memory(100);
  const auto at = [&](std::size_t begin) { return memory.data() + begin; };
  SharedRanges ranges;
  EXPECT_FALSE(ranges.find(at(0), 1)) << "nothing is shared";
  EXPECT_EQ(ranges.add(at(10), 20), 0U);
  EXPECT_EQ(ranges.add(at(30), 5), 1U);  // right behind it
  EXPECT_EQ(ranges.add(at(60), 1), 2U);

  const auto expect = [&](std::size_t begin, std::size_t bytes, std::size_t number, std::size_t offset) {
    const auto place = ranges.find(at(begin), bytes);
    ASSERT_TRUE(place) << begin << ", " << bytes;
    EXPECT_EQ(place->number, number);
    EXPECT_EQ(place->offset, offset);
  };
  expect(10, 20, 0, 0);
  expect(29, 1, 0, 19);
  expect(30, 5, 1, 0);
  expect(33, 2, 1, 3);
  expect(60, 1, 2, 0);
  EXPECT_FALSE(ranges.find(at(9), 2)) << "begins before it";
  EXPECT_FALSE(ranges.find(at(10), 21)) << "ends in the next one";
  EXPECT_FALSE(ranges.find(at(33), 3)) << "ends behind the last";
  EXPECT_FALSE(ranges.find(at(40), 1)) << "between two";
  EXPECT_FALSE(ranges.find(at(61), 1)) << "behind all";
  EXPECT_FALSE(ranges.find(at(12), ~std::size_t{0})) << "a length that wraps";
}

TEST(SharedRanges, ForgetWhatIsRemoved) {
  std::vector<std::byte> memory(64);
  SharedRanges ranges;
  const auto first = ranges.add(memory.data(), 32);
  const auto second = ranges.add(memory.data() + 32, 32);
  ranges.remove(first);
  EXPECT_FALSE(ranges.find(memory.data(), 8));
  EXPECT_TRUE(ranges.find(memory.data() + 40, 8));
  const auto again = ranges.add(memory.data(), 16);  // an address that another allocation had
  EXPECT_NE(again, first);
  EXPECT_EQ(ranges.find(memory.data(), 16)->number, again);
  EXPECT_FALSE(ranges.find(memory.data(), 17));
  EXPECT_EQ(ranges.find(memory.data() + 32, 1)->number, second);
}

TEST(SharedRanges, TheFirstProblemIsEveryones) {
  EXPECT_EQ(first_problem(std::vector<std::string>{}), "");
  EXPECT_EQ(first_problem(std::vector<std::string>{"", ""}), "");
  EXPECT_EQ(first_problem(std::vector<std::string>{"", "has no peers", "is elsewhere"}),
            "rank 1 of the group has no peers");
}

}  // namespace
}  // namespace trireme
