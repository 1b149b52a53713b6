// SPDX-License-Identifier: Apache-2.0
// One, two, three and four ranks: the same samples in the same order, and the same loss curve but for the order of
// sums.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/e2e/tiny_world.h"

namespace trireme::e2e {
namespace {

using Ranks = TinyWorld;

// AdamW as a smooth function of the gradient, so that a bound can be derived: with eps = 1, far above any root of a
// second moment here, an update is lr * m / (sqrt(v) + 1), and moves by at most 2 * lr when the gradients move by 1.
// With the usual eps an entry near zero may turn its sign, and its update with it, for the last bit of a sum.
const Words kSmooth{"--set", "optimizer.eps=1.0", "--set", "optimizer.lr=0.1"};

// How far two curves may be apart at each step, when only the order of fp32 sums differs.
//
// The step's loss is a sum of n = 12 * 64 numbers of one sign, whose terms are the same bits (a micro-batch is one
// sample on any number of ranks): two orders differ by at most 2 * n * u of it, u = 2^-24.
// A gradient is a sum of 12 samples' gradients, whose error is at most 2 * 12 * u * (mean norm of a sample's gradient);
// that mean is taken as at most spread times the norm of their mean, which metrics.jsonl tells. Parameters are then
// apart by the sum over the steps before of lr * 2 * that, doubled for what a distance between parameters adds to
// later gradients (lr is small against 1 / curvature: the loss falls at every step), and the loss by its gradient's
// norm times that.
std::vector<double> bounds(const std::vector<Step>& curve) {
  constexpr double kUnit = 1.0 / (1 << 24), kTargets = 12 * 64, kSamples = 12;
  const double spread = std::sqrt(kSamples) * 4;
  std::vector<double> bound;
  double apart = 0;
  for (const auto& step : curve) {
    bound.push_back(2 * kTargets * kUnit * step.loss + step.grad_norm * apart);
    apart += 2 * step.lr * 2 * 2 * kSamples * kUnit * spread * step.grad_norm;
  }
  return bound;
}

void expect_same_curve(const std::vector<Step>& one, const std::vector<Step>& other, const std::string& what) {
  ASSERT_EQ(one.size(), other.size()) << what;
  const auto bound = bounds(one);
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].step, other[i].step) << what;
    EXPECT_EQ(one[i].token_hash, other[i].token_hash) << what << ", step " << one[i].step;
    EXPECT_EQ(one[i].lr, other[i].lr) << what << ", step " << one[i].step;
    EXPECT_NEAR(one[i].loss, other[i].loss, bound[i]) << what << ", step " << one[i].step;
  }
  // The test could not fail if the curve moved no more than the bound.
  EXPECT_GT(one.front().loss - one.back().loss, 100 * *std::max_element(bound.begin(), bound.end()));
}

TEST_F(Ranks, OneToFourGiveOneCurve) {
  for (const int n : {1, 2, 3, 4}) {
    const auto dir = "smooth" + std::to_string(n);
    const auto outcome = ranks(n, train_command(dir, kSmooth));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    ASSERT_EQ(steps_of(path(dir)).size(), 20U);
    expect_same_curve(steps_of(path("smooth1")), steps_of(path(dir)), std::to_string(n) + " ranks");
  }
}

TEST_F(Ranks, MicroBatchesDoNotChangeTheSamples) {
  ASSERT_EQ(ranks(1, train_command("micro1")).code, 0);
  ASSERT_EQ(ranks(2, train_command("micro3", {"--set", "train.micro_batch=3"})).code, 0);
  const auto one = steps_of(path("micro1"));
  const auto other = steps_of(path("micro3"));
  ASSERT_EQ(one.size(), other.size());
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_EQ(one[i].token_hash, other[i].token_hash);
}

TEST_F(Ranks, ARunGoesOnOnAnotherNumberOfRanks) {
  auto words = train_command("whole", kSmooth);
  ASSERT_EQ(ranks(2, words).code, 0);
  words = train_command("moved", kSmooth);
  auto stop = [&](int n, const char* step) {
    auto more = words;
    more.insert(more.end(), {"--stop-at", step});
    const auto outcome = ranks(n, more);
    EXPECT_EQ(outcome.code, 75) << outcome.err;
  };
  stop(2, "7");
  stop(3, "12");
  stop(4, "13");
  ASSERT_EQ(ranks(1, words).code, 0);
  expect_same_curve(steps_of(path("whole")), steps_of(path("moved")), "2, 3, 4 and 1 ranks");
}

}  // namespace
}  // namespace trireme::e2e
