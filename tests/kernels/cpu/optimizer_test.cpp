// SPDX-License-Identifier: Apache-2.0
// Sums, norms, the gradient's scale, and AdamW.
#include <gtest/gtest.h>

#include <limits>

#include "tests/kernels/machine.h"

namespace trireme::kernel_test {
namespace {

TEST(Reduce, SumAndSquaredNormAddInAFixedOrder) {
  for (const std::int64_t n : {1, 17, 1023, 16385, 300001}) {
    Values x = normal(static_cast<std::size_t>(n), 1);
    double sum = 2.0;
    double magnitude = 2.0;
    double squares = 3.0;
    std::string first;
    for (const int threads : {1, 2}) {
      Machine machine({.threads = threads, .inline_streams = true});
      const Held tx = machine.put(Dtype::f32, {n}, x);
      Values two = {2.0}, three = {3.0};
      const Held total = machine.put(Dtype::f32, {1}, two), norm = machine.put(Dtype::f32, {1}, three);
      machine.run(Sum{.out = total.tensor, .x = tx.tensor});
      machine.run(SquaredNorm{.out = norm.tensor, .x = tx.tensor});
      if (threads == 1) {
        for (const double v : x) {
          sum += v;
          magnitude += std::abs(v);
          squares += v * v;
        }
        first = bits(total.tensor) + bits(norm.tensor);
      }
      // fp32 within blocks of 1024, double beyond, one rounding at the end.
      const double u = roundoff(Dtype::f32);
      EXPECT_NEAR(get(total.tensor)[0], sum, 1025 * u * magnitude);
      EXPECT_NEAR(get(norm.tensor)[0], squares, 1026 * u * squares);
      EXPECT_EQ(first, bits(total.tensor) + bits(norm.tensor));
    }
  }
}

TEST(GradientScale, IsTheFormula) {
  Machine machine;
  const auto run = [&](double squared, double count, float expected, float clip) {
    Values a = {squared}, b = {count};
    const Held ts = machine.make(Dtype::f32, {1}), tn = machine.make(Dtype::f32, {1});
    const Held tq = machine.put(Dtype::f32, {1}, a), tc = machine.put(Dtype::f32, {1}, b);
    machine.run(GradientScale{.scale = ts.tensor,
                              .norm = tn.tensor,
                              .norm_squared = tq.tensor,
                              .count = tc.tensor,
                              .expected = expected,
                              .clip = clip});
    return std::pair{get(ts.tensor)[0], get(tn.tensor)[0]};
  };
  const auto near = [](double found, double expected) {
    EXPECT_NEAR(found, expected, 8 * roundoff(Dtype::f32) * expected);
  };
  // norm = sqrt(16) * 10/8 = 5; clipped to 1.
  auto [scale, norm] = run(16.0, 8.0, 10.0F, 1.0F);
  near(norm, 5.0);
  near(scale, 10.0 / 8.0 * (1.0 / (5.0 + 1e-6)));
  std::tie(scale, norm) = run(16.0, 8.0, 10.0F, 6.0F);  // below the limit
  near(scale, 1.25);
  std::tie(scale, norm) = run(16.0, 8.0, 10.0F, 0.0F);  // no limit
  near(scale, 1.25);
  std::tie(scale, norm) = run(0.0, 0.0, 10.0F, 1.0F);  // no target at all
  EXPECT_EQ(scale, 0.0);
  EXPECT_EQ(norm, 0.0);
}

// What GradientScale is told of an update: sums over 4 targets, of which it is told 4 were expected.
struct Told {
  double loss, norm;
};

// A guard whose means look back on three updates, and what it says.
class Guarded {
 public:
  explicit Guarded(float loss_factor, float norm_factor) : loss_factor_(loss_factor), norm_factor_(norm_factor) {}

  /// Whether the update was skipped; its scale is then nothing that could be taken for a scale.
  bool skips(const Told& told) {
    Values sum = {4.0 * told.loss}, squared = {told.norm * told.norm}, count = {4.0};
    const Held ts = machine_.put(Dtype::f32, {1}, sum), tq = machine_.put(Dtype::f32, {1}, squared);
    const Held tc = machine_.put(Dtype::f32, {1}, count);
    machine_.run(GradientScale{.scale = scale_.tensor,
                               .norm = norm_.tensor,
                               .norm_squared = tq.tensor,
                               .count = tc.tensor,
                               .expected = 4.0F,
                               .guard = {.loss_sum = ts.tensor,
                                         .state = state_.tensor,
                                         .loss_factor = loss_factor_,
                                         .norm_factor = norm_factor_,
                                         .window = 3.0F}});
    const bool skipped = get(state_.tensor)[3] == 1.0;
    EXPECT_EQ(get(scale_.tensor)[0], skipped ? static_cast<double>(kSkippedUpdate) : 1.0);
    return skipped;
  }
  void expect_means(double loss, double norm, double updates) {
    const Values state = get(state_.tensor);
    EXPECT_NEAR(state[0], loss, 8 * roundoff(Dtype::f32) * loss);
    EXPECT_NEAR(state[1], norm, 8 * roundoff(Dtype::f32) * norm);
    EXPECT_EQ(state[2], updates);
  }

 private:
  float loss_factor_, norm_factor_;
  Machine machine_;
  Held scale_ = machine_.make(Dtype::f32, {1}), norm_ = machine_.make(Dtype::f32, {1});
  Held state_ = machine_.make(Dtype::f32, {4});
};

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(GradientScale, SkipsWhatIsNotFinite) {
  Guarded guard(0.0F, 0.0F);
  EXPECT_TRUE(guard.skips({kNan, 1.0}));  // also in the first update
  EXPECT_FALSE(guard.skips({2.0, 1.0}));
  for (const Told told : {Told{kNan, 1.0}, {kInfinity, 1.0}, {-kInfinity, 1.0}, {2.0, kNan}, {2.0, kInfinity}}) {
    EXPECT_TRUE(guard.skips(told)) << told.loss << " " << told.norm;
  }
  guard.expect_means(2.0, 1.0, 1.0);
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(guard.skips({2.0 + 1e6 * i, 1.0 + 1e6 * i}));  // without factors
}

TEST(GradientScale, SkipsASpikeOverTheMeansOfTheUpdatesBefore) {
  Guarded guard(2.0F, 5.0F);
  // The first three are judged by nothing: 5 is more than twice 1.
  EXPECT_FALSE(guard.skips({1.0, 1.0}));
  EXPECT_FALSE(guard.skips({5.0, 11.0}));
  EXPECT_FALSE(guard.skips({3.0, 6.0}));
  guard.expect_means(3.0, 6.0, 3.0);
  EXPECT_TRUE(guard.skips({6.1, 6.0}));
  EXPECT_TRUE(guard.skips({3.0, 30.1}));
  guard.expect_means(3.0, 6.0, 3.0);  // of those that were made
  EXPECT_FALSE(guard.skips({5.9, 29.9}));
  guard.expect_means(3.0 + 2.9 / 3.0, 6.0 + 23.9 / 3.0, 3.0);
}

TEST(AdamW, ASkippedUpdateLeavesEveryBit) {
  for (const std::int64_t n : {1, 33, 20000}) {
    const auto count = static_cast<std::size_t>(n);
    Machine machine({.threads = 2, .inline_streams = true});
    Values start = normal(count, 1), first = normal(count, 2), second = normal(count, 3), rounded = normal(count, 4);
    Values spoilt(count, kNan), skipped = {static_cast<double>(kSkippedUpdate)};
    const Held master = machine.put(Dtype::f32, {n}, start), copy = machine.put(Dtype::bf16, {n}, rounded);
    const Held m = machine.put(Dtype::f32, {n}, first), v = machine.put(Dtype::f32, {n}, second);
    const Held gradient = machine.put(Dtype::f32, {n}, spoilt), scale = machine.put(Dtype::f32, {1}, skipped);
    const auto all = [&] { return bits(master.tensor) + bits(m.tensor) + bits(v.tensor) + bits(copy.tensor); };
    const std::string before = all();
    machine.run(AdamW{.master = master.tensor,
                      .first = m.tensor,
                      .second = v.tensor,
                      .gradient = gradient.tensor,
                      .copy = copy.tensor,
                      .scale = scale.tensor,
                      .lr = 0.1F,
                      .weight_decay = 0.1F});
    EXPECT_EQ(all(), before);
  }
}

TEST(AdamW, FollowsTheFormulaForTenSteps) {
  for (const std::int64_t n : {1, 33, 20001}) {
    const auto count = static_cast<std::size_t>(n);
    Machine machine({.threads = 2, .inline_streams = true});
    reference::AdamState state{normal(count, 1), Values(count), Values(count)};
    const Held master = machine.put(Dtype::f32, {n}, state.master), copy = machine.make(Dtype::bf16, {n});
    const Held first = machine.make(Dtype::f32, {n}), second = machine.make(Dtype::f32, {n});
    Values half = {0.5};
    const Held scale = machine.put(Dtype::f32, {1}, half);
    const float lr = 1e-2F, beta1 = 0.9F, beta2 = 0.95F, eps = 1e-8F, decay = 0.1F;
    for (int step = 1; step <= 10; ++step) {
      Values gradient = normal(count, static_cast<unsigned>(10 + step));
      const Held tg = machine.put(Dtype::f32, {n}, gradient);
      machine.run(AdamW{.master = master.tensor,
                        .first = first.tensor,
                        .second = second.tensor,
                        .gradient = tg.tensor,
                        .copy = copy.tensor,
                        .scale = scale.tensor,
                        .lr = lr,
                        .beta1 = beta1,
                        .beta2 = beta2,
                        .eps = eps,
                        .weight_decay = decay,
                        .step = step});
      reference::adamw(state, gradient, 0.5, static_cast<double>(lr), static_cast<double>(beta1),
                       static_cast<double>(beta2), static_cast<double>(eps), static_cast<double>(decay), step);
      // Moments carry up to `step` roundings of each of their terms (all of the size of the largest); a step's length
      // is at most lr * 10 / sqrt(...) ~ 3 lr, and m / sqrt(v) has their relative error where m does not cancel.
      const double u = roundoff(Dtype::f32);
      const double moment = 4.0 * step * u;
      expect_within(
          get(first.tensor), state.first, [&](std::size_t) { return moment * 0.5 * 5; }, "first");
      expect_within(
          get(second.tensor), state.second, [&](std::size_t) { return moment * 0.25 * 25; }, "second");
      const double drift = step * (static_cast<double>(lr) * 8 * (moment + 8 * u) + 3 * u * 6);
      expect_within(
          get(master.tensor), state.master, [&](std::size_t) { return drift; }, "master");
      for (std::int64_t i = 0; i < n; ++i) {
        ASSERT_EQ(copy.tensor.as<Bf16>()[i].bits, Bf16(master.tensor.as<float>()[i]).bits);
      }
    }
  }
}

}  // namespace
}  // namespace trireme::kernel_test
