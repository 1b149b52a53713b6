// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/kernels/machine.h"

namespace trireme::kernel_test {
namespace {

class EmbeddingTest : public ::testing::TestWithParam<Dtype> {
 protected:
  static constexpr std::int64_t kRows = 300;
  static constexpr std::int64_t kWidth = 37;
  static constexpr std::int64_t kVocabulary = 50;  // of which this part of the table holds [kFirst, kFirst + kHeld)
  static constexpr std::int64_t kFirst = 10;
  static constexpr std::int64_t kHeld = 30;
  static constexpr std::int64_t kPositions = 16;

  void SetUp() override {
    for (std::int32_t row = 0; row < kRows; ++row) {
      tokens.push_back(static_cast<std::int32_t>((row + 3) * std::int64_t{row} % kVocabulary));
      positions.push_back(static_cast<std::int32_t>(std::int64_t{row} * 5 % kPositions));
    }
    table = normal(kHeld * kWidth, 1);
    position_table = normal(kPositions * kWidth, 2);
    dy = normal(kRows * kWidth, 3);
    for (Machine* machine : {&one, &two}) {
      Memory& m = machine == &one ? at_one : at_two;
      m.table = machine->put(GetParam(), {kHeld, kWidth}, table);
      m.position_table = machine->put(GetParam(), {kPositions, kWidth}, position_table);
      m.dy = machine->put(GetParam(), {kRows, kWidth}, dy);
      m.tokens = machine->put({kRows}, tokens);
      m.positions = machine->put({kRows}, positions);
      m.y = machine->make(GetParam(), {kRows, kWidth});
      m.d_table = machine->make(Dtype::f32, {kHeld, kWidth});
      m.d_position_table = machine->make(Dtype::f32, {kPositions, kWidth});
    }
  }
  static bool held(std::int32_t token) { return token >= kFirst && token < kFirst + kHeld; }

  struct Memory {
    Held table, position_table, dy, tokens, positions, y, d_table, d_position_table;
  };
  Machine one{{.threads = 1, .inline_streams = true}};
  Machine two{{.threads = 2, .inline_streams = true}};
  Memory at_one, at_two;
  Index tokens, positions;
  Values table, position_table, dy;
};

TEST_P(EmbeddingTest, ForwardAddsPositionsAndSkipsTokensOfOthers) {
  for (const bool with_positions : {false, true}) {
    const Memory& m = at_two;
    two.run(Embedding{.y = m.y.tensor,
                      .tokens = m.tokens.tensor,
                      .positions = m.positions.tensor,
                      .token_table = m.table.tensor,
                      .position_table = with_positions ? m.position_table.tensor : Tensor(),
                      .first_row = kFirst});
    Values expected;
    for (std::size_t row = 0; row < kRows; ++row) {
      for (std::size_t i = 0; i < kWidth; ++i) {
        const auto token = static_cast<std::size_t>(held(tokens[row]) ? tokens[row] - kFirst : 0);
        double sum = held(tokens[row]) ? table[token * kWidth + i] : 0.0;
        if (with_positions) sum += position_table[static_cast<std::size_t>(positions[row]) * kWidth + i];
        expected.push_back(sum);
      }
    }
    const double u = roundoff(GetParam()) + roundoff(Dtype::f32);
    expect_within(
        get(m.y.tensor), expected, [&](std::size_t i) { return 1.01 * u * std::abs(expected[i]); }, "y");
  }
}

TEST_P(EmbeddingTest, BackwardAddsEachRowInOneOrder) {
  for (Machine* machine : {&one, &two}) {
    const Memory& m = machine == &one ? at_one : at_two;
    for (int round = 0; round < 2; ++round) {
      machine->run(EmbeddingBackward{.d_token_table = m.d_table.tensor,
                                     .d_position_table = m.d_position_table.tensor,
                                     .dy = m.dy.tensor,
                                     .tokens = m.tokens.tensor,
                                     .positions = m.positions.tensor,
                                     .first_row = kFirst});
    }
  }
  Values expected(kHeld * kWidth), expected_positions(kPositions * kWidth);
  Values bound(expected.size()), bound_positions(expected_positions.size());
  // k terms in a row from zero: k - 1 roundings, each of at most the sum of their magnitudes.
  const auto add = [&](Values& sums, Values& bounds, const Index& index, std::int32_t of, std::int32_t at) {
    const auto terms = static_cast<double>(2 * std::count(index.begin(), index.end(), of));
    const auto to = static_cast<std::size_t>(at) * kWidth;
    for (std::size_t row = 0; row < kRows; ++row) {
      if (index[row] != of) continue;
      for (std::size_t i = 0; i < kWidth; ++i) {
        sums[to + i] += 2 * dy[row * kWidth + i];
        bounds[to + i] += 1.01 * (terms - 1) * roundoff(Dtype::f32) * std::abs(2 * dy[row * kWidth + i]);
      }
    }
  };
  for (std::int32_t token = kFirst; token < kFirst + kHeld; ++token) {
    add(expected, bound, tokens, token, token - kFirst);
  }
  for (std::int32_t p = 0; p < kPositions; ++p) add(expected_positions, bound_positions, positions, p, p);
  expect_within(
      get(at_one.d_table.tensor), expected, [&](std::size_t i) { return bound[i]; }, "d_token_table");
  expect_within(
      get(at_one.d_position_table.tensor), expected_positions, [&](std::size_t i) { return bound_positions[i]; },
      "d_position_table");
  EXPECT_EQ(bits(at_one.d_table.tensor), bits(at_two.d_table.tensor));
  EXPECT_EQ(bits(at_one.d_position_table.tensor), bits(at_two.d_position_table.tensor));
}

TEST_P(EmbeddingTest, APartOfTheTableWithoutAnyTokenAddsNothing) {
  // Rows beyond the vocabulary, none at all, and neither rows nor memory.
  const Memory& m = at_two;
  const Tensor none[3] = {m.table.tensor, m.table.tensor.rows(0, 0), {nullptr, GetParam(), {0, kWidth}}};
  const Tensor d_none[3] = {m.d_table.tensor, m.d_table.tensor.rows(0, 0), {nullptr, Dtype::f32, {0, kWidth}}};
  const std::string before = bits(m.d_table.tensor);
  for (int i = 0; i < 3; ++i) {
    Values y(kRows * kWidth, 7.0);
    const Held ty = two.put(GetParam(), {kRows, kWidth}, y);
    two.run(Embedding{.y = ty.tensor,
                      .tokens = m.tokens.tensor,
                      .positions = m.positions.tensor,
                      .token_table = none[i],
                      .position_table = {},
                      .first_row = kVocabulary});
    EXPECT_EQ(largest(get(ty.tensor)), 0.0);
    two.run(Embedding{.y = ty.tensor,
                      .tokens = m.tokens.tensor,
                      .positions = m.positions.tensor,
                      .token_table = none[i],
                      .position_table = m.position_table.tensor,
                      .first_row = kVocabulary});
    Values expected;
    for (std::size_t row = 0; row < kRows; ++row) {
      for (std::size_t k = 0; k < kWidth; ++k) {
        expected.push_back(position_table[static_cast<std::size_t>(positions[row]) * kWidth + k]);
      }
    }
    EXPECT_EQ(get(ty.tensor), expected);
    two.run(EmbeddingBackward{.d_token_table = d_none[i],
                              .d_position_table = {},
                              .dy = m.dy.tensor,
                              .tokens = m.tokens.tensor,
                              .positions = m.positions.tensor,
                              .first_row = kVocabulary});
    EXPECT_EQ(bits(m.d_table.tensor), before);
  }
}

INSTANTIATE_TEST_SUITE_P(Dtypes, EmbeddingTest, ::testing::Values(Dtype::f32, Dtype::bf16));

}  // namespace
}  // namespace trireme::kernel_test
