// SPDX-License-Identifier: Apache-2.0
#include "parallel/flat_boxes.h"

#include <gtest/gtest.h>

#include "core/base/rng.h"

namespace trireme {
namespace {

/// Counts each element of every box by walking its coordinates; the flat order must come out as begin, begin + 1, ...
void expect_covers(const Shape& shape, std::int64_t begin, std::int64_t end) {
  std::int64_t next = begin;
  const auto boxes = flat_boxes(shape, begin, end);
  for (const FlatBox& box : boxes) {
    ASSERT_EQ(box.extent.rank(), shape.rank());
    ASSERT_EQ(box.begin, next);
    for (std::int64_t i = 0; i < box.extent.elements(); ++i) {
      std::int64_t rest = i;
      std::int64_t flat = 0;
      std::int64_t stride = 1;
      for (int d = shape.rank() - 1; d >= 0; --d) {
        const std::int64_t at = box.origin[static_cast<std::size_t>(d)] + rest % box.extent[d];
        rest /= box.extent[d];
        ASSERT_LT(at, shape[d]);
        flat += at * stride;
        stride *= shape[d];
      }
      ASSERT_EQ(flat, next++);
    }
  }
  EXPECT_EQ(next, end);
  EXPECT_LE(boxes.size(), begin == end ? 0U : 2U * static_cast<unsigned>(shape.rank()) - 1U);
}

TEST(FlatBoxes, CoverEveryRangeOfSmallTensorsOnce) {
  for (const Shape& shape : {Shape{7}, Shape{3, 5}, Shape{5, 1}, Shape{1, 6}, Shape{2, 3, 4}, Shape{2, 2, 1, 3}}) {
    for (std::int64_t begin = 0; begin <= shape.elements(); ++begin) {
      for (std::int64_t end = begin; end <= shape.elements(); ++end) expect_covers(shape, begin, end);
    }
  }
}

TEST(FlatBoxes, OfAMatrixAreAtMostThree) {
  const Random random(3, "boxes");
  for (std::uint64_t i = 0; i < 300; ++i) {
    const auto rows = static_cast<std::int64_t>(1 + random.below(4 * i, 40));
    const auto columns = static_cast<std::int64_t>(1 + random.below(4 * i + 1, 40));
    const auto begin = static_cast<std::int64_t>(random.below(4 * i + 2, static_cast<std::uint64_t>(rows * columns)));
    const auto end =
        begin + static_cast<std::int64_t>(random.below(4 * i + 3, static_cast<std::uint64_t>(rows * columns - begin)));
    expect_covers({rows, columns}, begin, end);
  }
}

}  // namespace
}  // namespace trireme
