// SPDX-License-Identifier: Apache-2.0
// Softmax over rows that are cut over ranks: each rank's stats, and the loss, gradient and scores made of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>

#include "tests/kernels/machine.h"

namespace trireme::kernel_test {
namespace {

constexpr double kExponential = 2.5e-7;  // lanes.h states this bound
constexpr double kRoundoff = 0x1p-24;    // of fp32
constexpr double kFlushed = 1e-37;       // what becomes 0 for being subnormal is smaller, also a thousand times over
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr float kScale = 0.125F;

enum class Kind { plain, ties, extreme };

struct Case {
  std::int64_t rows;
  std::int64_t width;               // columns of each rank, Vl
  std::vector<std::int64_t> reals;  // of them real, by rank
  Kind kind;
  Dtype dtype;
};

double logit(const Case& c, double normal, std::size_t row, std::size_t part) {
  if (c.kind == Kind::ties) return std::round(normal);
  // The whole of a part, in turn: out of sight, the only one that counts, or lost between the two.
  constexpr double kBase[3] = {0.0, -1e4, 1e4};
  return 4 * normal + (c.kind == Kind::extreme ? kBase[(row + part) % 3] : 0.0);
}

class SoftmaxPartTest : public ::testing::TestWithParam<Case> {
 protected:
  struct Rank {
    std::int64_t first, real;
    Held logits;
  };

  void SetUp() override {
    const Case& c = GetParam();
    vocabulary = std::accumulate(c.reals.begin(), c.reals.end(), std::int64_t{0});
    longest = *std::max_element(c.reals.begin(), c.reals.end());
    ttargets = machine.make(Dtype::i32, {c.rows});
    parts = machine.make(Dtype::f32, {std::ssize(c.reals), c.rows, 4});
    losses = machine.make(Dtype::f32, {c.rows});
    best = machine.make(Dtype::i32, {c.rows});
    make_logits();
    make_targets();
    entropy = reference::cross_entropy(joined, targets, columns(), columns());
    for (auto row = joined.begin(); row != joined.end(); row += vocabulary) {
      high.push_back(*std::max_element(row, row + vocabulary));
    }
  }
  void make_logits() {
    const Case& c = GetParam();
    joined.resize(static_cast<std::size_t>(c.rows * vocabulary));
    std::int64_t first = 0;
    for (std::size_t part = 0; part < c.reals.size(); ++part) {
      // Padding holds what would win if it were looked at.
      Values own(static_cast<std::size_t>(c.rows * c.width), 3e4);
      const Values random = normal(own.size(), static_cast<unsigned>(part + 1));
      for (std::size_t row = 0; row < count(); ++row) {
        for (std::size_t i = 0; i < static_cast<std::size_t>(c.reals[part]); ++i) {
          const std::size_t at = row * static_cast<std::size_t>(c.width) + i;
          own[at] = logit(c, random[at], row, part);
        }
      }
      ranks.push_back({first, c.reals[part], machine.put(c.dtype, {c.rows, c.width}, own)});
      for (std::size_t row = 0; row < count(); ++row) {
        const auto from = own.begin() + static_cast<std::ptrdiff_t>(row) * c.width;
        std::copy(from, from + c.reals[part], joined.begin() + static_cast<std::ptrdiff_t>(row) * vocabulary + first);
      }
      first += c.reals[part];
    }
  }
  // One rank that has columns after the other; every fifth row has none.
  void make_targets() {
    std::vector<const Rank*> with_columns;
    for (const Rank& rank : ranks) {
      if (rank.real > 0) with_columns.push_back(&rank);
    }
    for (std::size_t row = 0; row < count(); ++row) {
      const Rank& rank = *with_columns[row % with_columns.size()];
      const auto target = rank.first + static_cast<std::int64_t>(row * 31) % rank.real;
      targets.push_back(row % 5 == 4 ? -1 : static_cast<std::int32_t>(target));
    }
    std::copy(targets.begin(), targets.end(), ttargets.tensor.as<std::int32_t>());
  }

  std::size_t count() const { return static_cast<std::size_t>(GetParam().rows); }
  std::size_t columns() const { return static_cast<std::size_t>(vocabulary); }
  Tensor stats_of(std::size_t part) const {
    return parts.tensor.rows(static_cast<std::int64_t>(part), 1).reshape({GetParam().rows, 4});
  }
  void gather() {
    for (std::size_t part = 0; part < ranks.size(); ++part) {
      machine.run(SoftmaxPart{.stats = stats_of(part),
                              .logits = ranks[part].logits.tensor,
                              .targets = ttargets.tensor,
                              .vocabulary = ranks[part].real,
                              .first_column = ranks[part].first});
    }
  }
  CrossEntropy of(const Rank& rank, float scale) const {
    return {.losses = losses.tensor,
            .logits = rank.logits.tensor,
            .targets = ttargets.tensor,
            .parts = parts.tensor,
            .vocabulary = rank.real,
            .first_column = rank.first,
            .gradient_scale = scale};
  }

  /// Relative error of a row's sum of exponentials: that of each term (its argument, cut in two where there are parts,
  /// and one or two exponentials) by the term's share, `additions` and the parts' products.
  double sum_error(std::size_t row, double additions, int exponentials) const {
    const double top = high[row];
    double total = 0.0;
    double error = 0.0;
    for (std::size_t i = 0; i < columns(); ++i) {
      const double below = top - joined[row * columns() + i];
      total += std::exp(-below);
      error += std::exp(-below) * (exponentials * kExponential + kRoundoff * below);
    }
    return 1.01 * error / total + (additions + exponentials) * kRoundoff + kFlushed;
  }
  double parts_error(std::size_t row) const {
    return sum_error(row, static_cast<double>(longest) + static_cast<double>(ranks.size()), 2);
  }
  double whole_error(std::size_t row) const { return sum_error(row, static_cast<double>(vocabulary), 1); }
  /// log(sum) - (target - high): the sum's error, and a rounding of each (two of the logarithm).
  double loss_error(std::size_t row, double of_sum) const {
    if (targets[row] < 0) return 0.0;
    const double score = high[row] - joined[row * columns() + static_cast<std::size_t>(targets[row])];
    const double logarithm = std::abs(entropy.losses[row] - score);
    return 1.01 * (of_sum + kRoundoff * (2 * logarithm + score + entropy.losses[row]));
  }
  /// e^(x - high) * (scale / sum), less scale at the target, rounded to the dtype.
  double gradient_error(std::size_t row, std::size_t i, double of_sum) const {
    if (targets[row] < 0) return 0.0;
    const double gradient = entropy.gradient[row * columns() + i];
    const double p = gradient + (static_cast<std::size_t>(targets[row]) == i ? 1.0 : 0.0);
    const double below = high[row] - joined[row * columns() + i];
    const double of_p = p * (kExponential + kRoundoff * (below + 3) + of_sum);
    const double last = (roundoff(GetParam().dtype) + 2 * kRoundoff) * std::abs(gradient);
    return 1.01 * static_cast<double>(kScale) * (of_p + last) + kFlushed;
  }

  Machine machine{{.threads = 2, .inline_streams = true}};
  std::int64_t vocabulary = 0, longest = 0;
  std::vector<Rank> ranks;
  Values joined, high;  // all ranks' columns; the largest of each row
  Index targets;
  Held ttargets, parts, losses, best;
  reference::Entropy entropy;
};

TEST_P(SoftmaxPartTest, StatsAreTheFormula) {
  const Case& c = GetParam();
  gather();
  for (std::size_t part = 0; part < ranks.size(); ++part) {
    const Values logits = get(ranks[part].logits.tensor);
    const auto* stats = stats_of(part).as<float>();
    for (std::size_t row = 0; row < count(); ++row) {
      const double* x = logits.data() + row * static_cast<std::size_t>(c.width);
      const double* found = std::max_element(x, x + ranks[part].real);
      const bool any = ranks[part].real > 0;
      ASSERT_EQ(static_cast<double>(stats[row * 4]), any ? *found : -kInfinity);
      ASSERT_EQ(std::bit_cast<std::int32_t>(stats[row * 4 + 3]), any ? ranks[part].first + (found - x) : -1);
      const std::int64_t target = targets[row] - ranks[part].first;
      const bool held = targets[row] >= 0 && target >= 0 && target < ranks[part].real;
      ASSERT_EQ(static_cast<double>(stats[row * 4 + 2]), held ? x[target] : -kInfinity);
      double sum = 0.0;
      double error = 0.0;
      for (std::int64_t i = 0; i < ranks[part].real; ++i) {
        const double term = std::exp(x[i] - *found);
        sum += term;
        error += term * (kExponential + kRoundoff * (*found - x[i] + static_cast<double>(ranks[part].real)));
      }
      ASSERT_NEAR(static_cast<double>(stats[row * 4 + 1]), sum, 1.01 * error + (any ? kFlushed : 0.0)) << row;
    }
  }
}

TEST_P(SoftmaxPartTest, LossAndGradientAreTheFormulaOnEveryRank) {
  const Case& c = GetParam();
  gather();
  std::string first_bits;
  for (const Rank& rank : ranks) {
    machine.run(of(rank, kScale));
    expect_within(
        get(losses.tensor), entropy.losses, [&](std::size_t row) { return loss_error(row, parts_error(row)); },
        "losses");
    if (first_bits.empty()) first_bits = bits(losses.tensor);
    EXPECT_EQ(bits(losses.tensor), first_bits);
    const Values found = get(rank.logits.tensor);
    for (std::size_t row = 0; row < count(); ++row) {
      const double of_sum = parts_error(row);
      for (std::int64_t i = 0; i < c.width; ++i) {
        const double value = found[row * static_cast<std::size_t>(c.width) + static_cast<std::size_t>(i)];
        const auto column = static_cast<std::size_t>(rank.first + i);
        if (i >= rank.real) {
          ASSERT_EQ(value, 0.0) << row << " padding " << i;
        } else {
          const double expected = static_cast<double>(kScale) * entropy.gradient[row * columns() + column];
          ASSERT_NEAR(value, expected, gradient_error(row, column, of_sum)) << row << " " << i;
        }
      }
    }
  }
}

TEST_P(SoftmaxPartTest, PartsTogetherAreOneRankWithAllColumns) {
  const Case& c = GetParam();
  gather();
  const Held whole = machine.put(c.dtype, {c.rows, vocabulary}, joined);
  const Held whole_losses = machine.make(Dtype::f32, {c.rows});
  const Held whole_best = machine.make(Dtype::i32, {c.rows});
  machine.run(TokenScore{.log_prob = whole_losses.tensor,
                         .best = whole_best.tensor,
                         .logits = whole.tensor,
                         .targets = ttargets.tensor,
                         .vocabulary = vocabulary});
  machine.run(TokenScore{
      .log_prob = losses.tensor, .best = best.tensor, .logits = {}, .targets = ttargets.tensor, .parts = parts.tensor});
  const auto both = [&](std::size_t row) {
    return loss_error(row, parts_error(row)) + loss_error(row, whole_error(row));
  };
  expect_within(get(losses.tensor), get(whole_losses.tensor), both, "log_prob");
  EXPECT_EQ(bits(best.tensor), bits(whole_best.tensor));
  machine.run(CrossEntropy{.losses = whole_losses.tensor,
                           .logits = whole.tensor,
                           .targets = ttargets.tensor,
                           .vocabulary = vocabulary,
                           .gradient_scale = kScale});
  const Values gradient = get(whole.tensor);
  for (const Rank& rank : ranks) {
    machine.run(of(rank, kScale));
    expect_within(get(losses.tensor), get(whole_losses.tensor), both, "losses");
    const Values found = get(rank.logits.tensor);
    for (std::size_t row = 0; row < count(); ++row) {
      const double of_sums = parts_error(row) + whole_error(row);
      for (std::int64_t i = 0; i < rank.real; ++i) {
        const auto column = static_cast<std::size_t>(rank.first + i);
        ASSERT_NEAR(found[row * static_cast<std::size_t>(c.width) + static_cast<std::size_t>(i)],
                    gradient[row * columns() + column], 2 * gradient_error(row, column, of_sums));
      }
    }
  }
}

TEST_P(SoftmaxPartTest, ScoresAreTheFormula) {
  gather();
  machine.run(TokenScore{
      .log_prob = losses.tensor, .best = best.tensor, .logits = {}, .targets = ttargets.tensor, .parts = parts.tensor});
  Values expected = entropy.losses;
  for (double& loss : expected) loss = -loss;
  // target - high is rounded before the logarithm is taken off, as in the loss.
  expect_within(
      get(losses.tensor), expected, [&](std::size_t row) { return loss_error(row, parts_error(row)); }, "log_prob");
  for (std::size_t row = 0; row < count(); ++row) {
    const double* x = joined.data() + row * columns();
    EXPECT_EQ(best.tensor.as<std::int32_t>()[row], std::max_element(x, x + vocabulary) - x);
  }
}

TEST_P(SoftmaxPartTest, WithoutAGradientLogitsStayAndLossesAreTheSame) {
  gather();
  for (const Rank& rank : ranks) {
    const std::string before = bits(rank.logits.tensor);
    machine.run(of(rank, 0.0F));
    EXPECT_EQ(bits(rank.logits.tensor), before);
    const std::string found = bits(losses.tensor);
    machine.run(of(rank, kScale));
    EXPECT_EQ(bits(losses.tensor), found);
  }
}

std::vector<Case> cases() {
  std::vector<Case> all;
  const std::vector<Case> shapes = {
      {.rows = 1, .width = 1, .reals = {1}, .kind = {}, .dtype = {}},
      {.rows = 2, .width = 1, .reals = {1, 0}, .kind = {}, .dtype = {}},
      {.rows = 5, .width = 3, .reals = {3, 3, 2}, .kind = {}, .dtype = {}},
      {.rows = 7, .width = 13, .reals = {11}, .kind = {}, .dtype = {}},
      {.rows = 13, .width = 17, .reals = {0, 17, 0, 5}, .kind = {}, .dtype = {}},
      {.rows = 37, .width = 1, .reals = {1, 1, 1, 1, 1, 1, 1, 0}, .kind = {}, .dtype = {}},
      {.rows = 37, .width = 65, .reals = {65, 65, 65, 65, 65, 1, 0, 0}, .kind = {}, .dtype = {}},
      {.rows = 3, .width = 1003, .reals = {1003, 1002}, .kind = {}, .dtype = {}},
      {.rows = 19, .width = 1003, .reals = {1003, 1003, 1003, 1003, 1003, 1003, 1003, 77}, .kind = {}, .dtype = {}}};
  for (Case c : shapes) {
    for (const Kind kind : {Kind::plain, Kind::ties, Kind::extreme}) {
      for (const Dtype dtype : {Dtype::f32, Dtype::bf16}) {
        c.kind = kind;
        c.dtype = dtype;
        all.push_back(c);
      }
    }
  }
  return all;
}
INSTANTIATE_TEST_SUITE_P(Shapes, SoftmaxPartTest, ::testing::ValuesIn(cases()));

/// Stats of one row, as ranks would have gathered them.
Values row_stats(Machine& machine, const std::vector<Values>& logits, std::int32_t target, const Tensor& losses) {
  const Held parts = machine.make(Dtype::f32, {std::ssize(logits), 1, 4});
  const Held targets = machine.put({1}, {target});
  std::int64_t first = 0;
  for (std::size_t part = 0; part < logits.size(); ++part) {
    Values own = logits[part];
    const Held held = machine.put(Dtype::f32, {1, std::ssize(own)}, own);
    machine.run(SoftmaxPart{.stats = parts.tensor.rows(static_cast<std::int64_t>(part), 1).reshape({1, 4}),
                            .logits = held.tensor,
                            .targets = targets.tensor,
                            .vocabulary = std::ssize(own),
                            .first_column = first});
    first += std::ssize(own);
  }
  machine.run(CrossEntropy{.losses = losses,
                           .logits = Tensor{nullptr, Dtype::f32, {1, 0}},
                           .targets = targets.tensor,
                           .parts = parts.tensor});
  return get(parts.tensor);
}

TEST(SoftmaxPart, APartOfMinusInfinitiesAddsNothing) {
  Machine machine;
  const Held losses = machine.make(Dtype::f32, {1});
  const Values stats = row_stats(machine, {{-kInfinity, -kInfinity}, {1, 1}}, 3, losses.tensor);
  EXPECT_EQ(stats[0], -kInfinity);
  EXPECT_EQ(stats[1], 0.0);
  EXPECT_NEAR(get(losses.tensor)[0], std::log(2.0), 2 * kRoundoff);
}

TEST(SoftmaxPart, WhatIsNotANumberReachesEveryRank) {
  Machine machine;
  const Held losses = machine.make(Dtype::f32, {1});
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const std::vector<Values>& logits : {std::vector<Values>{{1, nan}, {1, 2}}, {{nan}, {1, 2}}, {{1, kInfinity}}}) {
    row_stats(machine, logits, 0, losses.tensor);
    EXPECT_TRUE(std::isnan(get(losses.tensor)[0]));
  }
}

TEST(SoftmaxPart, ATargetThatNobodyHasIsInfinitelyUnlikely) {
  Machine machine;
  const Held losses = machine.make(Dtype::f32, {1});
  row_stats(machine, {{1, 2}, {3}}, 3, losses.tensor);
  EXPECT_EQ(get(losses.tensor)[0], kInfinity);
}

TEST(SoftmaxPart, ARankWithoutColumnsIsNeverTheBestAlsoWhereAllAreMinusInfinity) {
  Machine machine;
  const float none = -std::numeric_limits<float>::infinity();
  const Held parts = machine.make(Dtype::f32, {2, 1, 4});
  const float stats[8] = {none, 0.0F, none, std::bit_cast<float>(5), none, 0.0F, none, std::bit_cast<float>(-1)};
  std::copy(std::begin(stats), std::end(stats), parts.tensor.as<float>());
  const Held targets = machine.put({1}, {-1});
  const Held log_prob = machine.make(Dtype::f32, {1}), best = machine.make(Dtype::i32, {1});
  machine.run(TokenScore{.log_prob = log_prob.tensor,
                         .best = best.tensor,
                         .logits = {},
                         .targets = targets.tensor,
                         .parts = parts.tensor});
  EXPECT_EQ(best.tensor.as<std::int32_t>()[0], 5);
}

TEST(SoftmaxPart, TiesGoToTheLowestTokenWhateverTheOrderOfParts) {
  Machine machine;
  for (const std::int32_t third : {-1, 4}) {
    const Held parts = machine.make(Dtype::f32, {3, 1, 4});
    auto* stats = parts.tensor.as<float>();
    const std::int32_t tokens[3] = {7, 3, third};
    for (int part = 0; part < 3; ++part) {
      stats[part * 4] = part == 2 && third < 0 ? -std::numeric_limits<float>::infinity() : 2.0F;
      stats[part * 4 + 1] = stats[part * 4] > 0.0F ? 1.0F : 0.0F;
      stats[part * 4 + 2] = -std::numeric_limits<float>::infinity();
      stats[part * 4 + 3] = std::bit_cast<float>(tokens[part]);
    }
    const Held targets = machine.put({1}, {-1});
    const Held log_prob = machine.make(Dtype::f32, {1}), best = machine.make(Dtype::i32, {1});
    machine.run(TokenScore{.log_prob = log_prob.tensor,
                           .best = best.tensor,
                           .logits = {},
                           .targets = targets.tensor,
                           .parts = parts.tensor});
    EXPECT_EQ(best.tensor.as<std::int32_t>()[0], 3);
    EXPECT_EQ(log_prob.tensor.as<float>()[0], 0.0F);
  }
}

}  // namespace
}  // namespace trireme::kernel_test
