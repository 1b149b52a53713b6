// SPDX-License-Identifier: Apache-2.0
// Cross-entropy with its gradient in place, and token scores.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/kernels/machine.h"

namespace trireme::kernel_test {
namespace {

struct Case {
  std::int64_t rows, width, vocabulary;
  Dtype dtype;
};

class LossTest : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    const Case& c = GetParam();
    logits = normal(static_cast<std::size_t>(c.rows * c.width), 1, 4.0);
    for (std::int64_t row = 0; row < c.rows; ++row) {
      // Padding holds what would win if it were looked at.
      for (std::int64_t i = c.vocabulary; i < c.width; ++i) logits[static_cast<std::size_t>(row * c.width + i)] = 100.0;
      targets.push_back(row % 3 == 1 ? -1 : static_cast<std::int32_t>((row * 31) % c.vocabulary));
    }
    tlogits = machine.put(c.dtype, {c.rows, c.width}, logits);
    ttargets = machine.put({c.rows}, targets);
    tlosses = machine.make(Dtype::f32, {c.rows});
    expected = reference::cross_entropy(logits, targets, static_cast<std::size_t>(c.width),
                                        static_cast<std::size_t>(c.vocabulary));
  }
  /// Relative error of a probability: its argument, the exponential, and the sum (blocks of 1024, 16 lanes or fewer).
  double relative() const {
    return 2.5e-7 + roundoff(Dtype::f32) * (2 * 2 * 40.0 + 1024.0 + static_cast<double>(GetParam().width) / 1024.0 + 8);
  }

  Machine machine{{.threads = 2, .inline_streams = true}};
  Values logits;
  Index targets;
  reference::Entropy expected;
  Held tlogits, ttargets, tlosses;
};

TEST_P(LossTest, LossAndGradientAreTheFormula) {
  const Case& c = GetParam();
  const float scale = 0.125F;
  machine.run(CrossEntropy{.losses = tlosses.tensor,
                           .logits = tlogits.tensor,
                           .targets = ttargets.tensor,
                           .vocabulary = c.vocabulary,
                           .gradient_scale = scale});
  const double error = 2 * relative();
  expect_within(
      get(tlosses.tensor), expected.losses,
      [&](std::size_t i) { return targets[i] < 0 ? 0.0 : error + roundoff(Dtype::f32) * expected.losses[i]; },
      "losses");
  for (double& g : expected.gradient) g *= static_cast<double>(scale);
  const double v = roundoff(c.dtype);
  expect_within(
      get(tlogits.tensor), expected.gradient,
      [&](std::size_t i) {
        const bool zero = targets[i / static_cast<std::size_t>(c.width)] < 0 ||
                          static_cast<std::int64_t>(i) % c.width >= c.vocabulary;
        // What is ignored is exactly 0; the smallest probabilities may be flushed to 0.
        return zero ? 0.0
                    : (error + 2 * roundoff(Dtype::f32)) * static_cast<double>(scale) +
                          v * std::abs(expected.gradient[i]);
      },
      "gradient");
}

TEST_P(LossTest, WithoutAGradientLogitsStay) {
  const std::string before = bits(tlogits.tensor);
  machine.run(CrossEntropy{.losses = tlosses.tensor,
                           .logits = tlogits.tensor,
                           .targets = ttargets.tensor,
                           .vocabulary = GetParam().vocabulary});
  EXPECT_EQ(before, bits(tlogits.tensor));
  EXPECT_GT(largest(get(tlosses.tensor)), 0.0);
}

TEST_P(LossTest, TokenScoresAreTheFormula) {
  const Case& c = GetParam();
  const Held best = machine.make(Dtype::i32, {c.rows});
  machine.run(TokenScore{.log_prob = tlosses.tensor,
                         .best = best.tensor,
                         .logits = tlogits.tensor,
                         .targets = ttargets.tensor,
                         .vocabulary = c.vocabulary});
  const double error = 2 * relative();
  for (double& loss : expected.losses) loss = -loss;
  expect_within(
      get(tlosses.tensor), expected.losses,
      [&](std::size_t i) { return targets[i] < 0 ? 0.0 : error - roundoff(Dtype::f32) * expected.losses[i]; },
      "log_prob");
  for (std::int64_t row = 0; row < c.rows; ++row) {
    const double* x = &logits[static_cast<std::size_t>(row * c.width)];
    const auto lowest = std::max_element(x, x + c.vocabulary) - x;
    EXPECT_EQ(best.tensor.as<std::int32_t>()[row], lowest);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, LossTest,
                         ::testing::Values(Case{1, 2, 2, Dtype::f32}, Case{7, 13, 11, Dtype::f32},
                                           Case{5, 5000, 4999, Dtype::f32}, Case{40, 512, 300, Dtype::f32},
                                           Case{7, 13, 11, Dtype::bf16}, Case{5, 5000, 4999, Dtype::bf16}));
// Rows that fit into a GPU's shared memory several times, once or in part, and such as start anywhere.
INSTANTIATE_TEST_SUITE_P(Vocabularies, LossTest,
                         ::testing::Values(Case{4, 50304, 50257, Dtype::bf16}, Case{3, 50257, 50257, Dtype::bf16},
                                           Case{3, 128256, 128256, Dtype::bf16}, Case{3, 151936, 151643, Dtype::bf16},
                                           Case{3, 151935, 151934, Dtype::bf16}, Case{3, 32000, 20000, Dtype::bf16},
                                           Case{3, 50304, 50257, Dtype::f32}, Case{2, 128257, 128256, Dtype::f32}));

TEST(TokenScore, TiesGoToTheLowestToken) {
  Machine machine;
  Values logits = {1, 3, 2, 3, 3, 9};
  const Held tl = machine.put(Dtype::f32, {1, 6}, logits), tp = machine.make(Dtype::f32, {1});
  const Held tb = machine.make(Dtype::i32, {1}), tt = machine.put({1}, {-1});
  machine.run(
      TokenScore{.log_prob = tp.tensor, .best = tb.tensor, .logits = tl.tensor, .targets = tt.tensor, .vocabulary = 5});
  EXPECT_EQ(tb.tensor.as<std::int32_t>()[0], 1);
  EXPECT_EQ(tp.tensor.as<float>()[0], 0.0F);
}

}  // namespace
}  // namespace trireme::kernel_test
