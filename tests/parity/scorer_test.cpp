// SPDX-License-Identifier: Apache-2.0
#include "core/train/scorer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "core/train/init.h"
#include "tests/kernels/test_device.h"
#include "tests/parity/bounds.h"
#include "tests/parity/fixed_batches.h"
#include "tests/parity/model_rig.h"

namespace trireme {
namespace {

Architecture tiny(Family family) {
  Architecture a;
  a.family = family;
  a.vocabulary = 97;
  a.context = 48;
  a.layers = 2;
  a.width = 32;
  a.heads = 4;
  a.kv_heads = family == Family::llama ? 2 : 4;
  a.head_size = 8;
  a.feed_forward = 48;
  return a;
}

/// Requests of many lengths; some share their whole input, some are one token and a continuation.
std::vector<ScoreRequest> requests_for(const Architecture& a) {
  const Random random(3, "scorer test");
  std::vector<ScoreRequest> requests;
  std::uint64_t at = 0;
  for (const std::int64_t length : {2, 3, 9, 33, 33, 40, 41, 49}) {
    ScoreRequest r;
    for (std::int64_t i = 0; i < length; ++i) {
      r.tokens.push_back(static_cast<std::int32_t>(random.below(at++, static_cast<std::uint64_t>(a.vocabulary))));
    }
    r.continuation = 1 + length / 4;
    requests.push_back(r);
    r.continuation = 1;
    r.tokens.back() = (r.tokens.back() + 1) % static_cast<std::int32_t>(a.vocabulary);
    requests.push_back(r);
  }
  return requests;
}

std::vector<Likelihood> score_on(const Architecture& a, Group& ranks, std::int64_t tokens_per_batch) {
  const auto device = make_test_device({});
  const auto ops = make_test_ops(*device);
  const auto stream = device->make_stream("compute");
  const auto self = make_self_group("replica");
  const auto tensor = make_self_group("tensor");
  const auto table = Model(a).params();
  const auto store = make_params(table, *device, *ops, Dtype::f32, {});
  initialise(table, *store, *device, *stream, 5);
  Scorer scorer({.architecture = a,
                 .dtype = Dtype::f32,
                 .device = *device,
                 .ops = *ops,
                 .stream = *stream,
                 .store = *store,
                 .data = ranks,
                 .tensor = *tensor},
                tokens_per_batch);
  return scorer.score(requests_for(a));
}

std::vector<Likelihood> score_alone(const Architecture& a, std::int64_t tokens_per_batch = 200) {
  const auto self = make_self_group("data");
  return score_on(a, *self, tokens_per_batch);
}

/// The same by one plain forward pass for each request, and the formula in double.
Likelihood reference(const Architecture& a, const ScoreRequest& r) {
  const auto time = static_cast<std::int64_t>(r.tokens.size()) - 1;
  ModelRig rig(a, {.saving = Saving::none, .batch = 1, .time = time});
  initialise(rig.table(), rig.store(), rig.device(), rig.stream(), 5);
  FixedBatches source(time, {r.tokens.begin(), r.tokens.end() - 1}, std::vector<std::int32_t>(r.tokens.size() - 1, -1));
  const auto logits = rig.logits(source, 0);
  Likelihood sum{0.0, true};
  for (auto at = time - r.continuation; at < time; ++at) {
    const auto* row = logits.data() + at * a.vocabulary;
    const auto target = r.tokens[static_cast<std::size_t>(at) + 1];
    double total = 0.0;
    for (std::int64_t v = 0; v < a.vocabulary; ++v) {
      total += std::exp(static_cast<double>(row[v]));
      sum.greedy = sum.greedy && row[v] <= row[target];
    }
    sum.log_prob += static_cast<double>(row[target]) - std::log(total);
  }
  return sum;
}

class ScorerTest : public testing::TestWithParam<Family> {};

TEST_P(ScorerTest, EqualsAForwardPassForEachRequest) {
  const auto a = tiny(GetParam());
  const auto requests = requests_for(a);
  const auto scored = score_alone(a);
  ASSERT_EQ(scored.size(), requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const auto expected = reference(a, requests[i]);
    // Each term is a difference of two numbers of at most log V, each off by the bound of the logits.
    const auto bound = 2 * relative_bound(a, Dtype::f32, 200, 1) * std::log(static_cast<double>(a.vocabulary)) *
                       static_cast<double>(requests[i].continuation);
    EXPECT_NEAR(scored[i].log_prob, expected.log_prob, bound) << i;
    EXPECT_EQ(scored[i].greedy, expected.greedy) << i;
  }
}

TEST_P(ScorerTest, AnyNumberOfRanksGivesTheSameBits) {
  const auto a = tiny(GetParam());
  const auto expected = score_alone(a);
  for (const int ranks : {2, 3, 4}) {
    run_thread_ranks(ranks, [&](Group& group) {
      const auto scored = score_on(a, group, 200);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        check(std::memcmp(&scored[i].log_prob, &expected[i].log_prob, sizeof(double)) == 0 &&
                  scored[i].greedy == expected[i].greedy,
              "request {} on rank {} of {}: {} instead of {}", i, group.rank(), ranks, scored[i].log_prob,
              expected[i].log_prob);
      }
    });
  }
}

TEST_P(ScorerTest, RefusesWhatDoesNotFit) {
  const auto a = tiny(GetParam());
  const auto device = make_test_device({});
  const auto ops = make_test_ops(*device);
  const auto stream = device->make_stream("compute");
  const auto self = make_self_group("self");
  const auto table = Model(a).params();
  const auto store = make_params(table, *device, *ops, Dtype::f32, {});
  Scorer scorer({a, Dtype::f32, *device, *ops, *stream, *store, *self, *self});
  const auto score = [&](std::vector<std::int32_t> tokens, std::int64_t continuation) {
    const std::vector<ScoreRequest> one = {{std::move(tokens), continuation}};
    return scorer.score(one);
  };
  EXPECT_THROW(score(std::vector<std::int32_t>(50, 1), 1), Error);
  EXPECT_THROW(score({1, 2, 3}, 3), Error);
  EXPECT_THROW(score({1}, 1), Error);
  EXPECT_THROW(score({1, 97}, 1), Error);
  EXPECT_NO_THROW(score(std::vector<std::int32_t>(49, 1), 48));
}

INSTANTIATE_TEST_SUITE_P(Families, ScorerTest, testing::Values(Family::gpt2, Family::llama));

}  // namespace
}  // namespace trireme
