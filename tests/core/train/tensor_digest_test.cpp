// SPDX-License-Identifier: Apache-2.0
#include "core/train/tensor_digest.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "core/base/rng.h"
#include "core/train/box_runs.h"

namespace trireme {
namespace {

std::vector<float> example(std::size_t size) {
  const Random random(1, "digest");
  std::vector<float> values(size);
  for (std::size_t i = 0; i < size; ++i) values[i] = static_cast<float>(random.normal(i));
  return values;
}

TensorDigest digest_of(const std::vector<float>& values) {
  TensorDigest digest;
  digest.add(values.data(), 0, values.size());
  return digest;
}

TEST(TensorDigest, DoesNotDependOnHowTheTensorIsCut) {
  const auto values = example(1000);
  for (const std::size_t cut : {0U, 1U, 333U, 999U, 1000U}) {
    TensorDigest parts;
    parts.add(values.data() + cut, static_cast<std::int64_t>(cut), values.size() - cut);
    parts.add(values.data(), 0, cut);
    EXPECT_EQ(parts, digest_of(values));
  }
}

TEST(TensorDigest, SeesEveryChangedBitAndEverySwap) {
  auto values = example(100);
  const TensorDigest digest = digest_of(values);
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (int bit = 0; bit < 32; ++bit) {
      auto changed = values;
      changed[i] = std::bit_cast<float>(std::bit_cast<std::uint32_t>(changed[i]) ^ (1U << static_cast<unsigned>(bit)));
      EXPECT_NE(digest_of(changed), digest);
    }
  }
  std::swap(values[3], values[77]);
  EXPECT_NE(digest_of(values), digest);
  EXPECT_NE(digest_of(std::vector<float>(10)), digest_of(std::vector<float>(11))) << "zeros count";
}

/// Every pair of random boxes, against a walk over all elements.
TEST(BoxRuns, AreTheElementsThatBothBoxesHold) {
  const Random random(5, "boxes");
  std::uint64_t draw = 0;
  for (int round = 0; round < 2000; ++round) {
    const int rank = 1 + round % 4;
    const std::vector<std::int64_t> shape = {5, 4, 3, 2};
    Box boxes[2];
    for (Box& box : boxes) {
      std::vector<std::int64_t> extent;
      for (int d = 0; d < rank; ++d) {
        const auto size = static_cast<std::uint64_t>(shape[static_cast<std::size_t>(d)]);
        const std::uint64_t begin = random.below(draw++, size);
        box.origin[static_cast<std::size_t>(d)] = static_cast<std::int64_t>(begin);
        extent.push_back(static_cast<std::int64_t>(1 + random.below(draw++, size - begin)));
      }
      box.extent = Shape(extent);
    }
    const auto index_in = [&](const Box& box, std::int64_t code) {  // -1: outside
      std::int64_t index = 0;
      std::int64_t stride = 1;
      for (int d = rank - 1; d >= 0; --d) {
        const std::int64_t at = code % shape[static_cast<std::size_t>(d)] - box.origin[static_cast<std::size_t>(d)];
        code /= shape[static_cast<std::size_t>(d)];
        if (at < 0 || at >= box.extent[d]) return std::int64_t{-1};
        index += at * stride;
        stride *= box.extent[d];
      }
      return index;
    };
    std::int64_t total = 1;
    for (int d = 0; d < rank; ++d) total *= shape[static_cast<std::size_t>(d)];
    std::vector<std::pair<std::int64_t, std::int64_t>> want;
    for (std::int64_t code = 0; code < total; ++code) {
      const std::int64_t a = index_in(boxes[0], code);
      const std::int64_t b = index_in(boxes[1], code);
      if (a >= 0 && b >= 0) want.emplace_back(a, b);
    }
    std::vector<std::pair<std::int64_t, std::int64_t>> got;
    for (const BoxRun& run : runs_between(boxes[0], boxes[1])) {
      for (std::int64_t k = 0; k < run.count; ++k) got.emplace_back(run.from + k, run.to + k);
    }
    EXPECT_EQ(got, want);
    EXPECT_EQ(overlap(boxes[0], boxes[1]), !want.empty());
  }
}

}  // namespace
}  // namespace trireme
