// SPDX-License-Identifier: Apache-2.0
// Evaluation on meshes, whose vocabularies are cut and padded: the losses and scores of one rank, and no trace of it in
// the steps that follow.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>
#include <vector>

#include "core/model/model.h"
#include "tests/parity/bounds.h"
#include "tests/parity/fixed_batches.h"
#include "tests/parity/mesh_cases.h"
#include "tests/parity/mesh_rig.h"

namespace trireme {
namespace {

constexpr std::int64_t kSamples = 13;  // the last batch is full on no mesh

/// What a rank sees of a run: two steps, an evaluation where asked for, and a third step.
struct Seen {
  std::vector<StepMetrics> metrics;
  double before = 0.0, after = 0.0;  // losses, of the initial parameters and after two steps
};

Seen train_and_evaluate(const MeshCase& c, bool evaluates) {
  Seen seen;
  std::mutex mutex;
  run_thread_world(static_cast<int>(c.mesh.ranks()), [&](World& world) {
    auto batches = mesh_batches(c);
    auto others = FixedBatches::random(24, c.train.sequence, c.architecture.vocabulary, 10);
    MeshRank rank(world, c, batches);
    Seen mine;
    if (evaluates) mine.before = rank.trainer->evaluate(others, kSamples).value();
    mine.metrics = rank.run(2);
    if (evaluates) mine.after = rank.trainer->evaluate(others, kSamples).value();
    for (const StepMetrics& m : rank.run(1)) mine.metrics.push_back(m);
    const std::lock_guard lock(mutex);
    if (!seen.metrics.empty()) {  // every rank is told the same
      EXPECT_EQ(mine.before, seen.before);
      EXPECT_EQ(mine.after, seen.after);
    }
    seen = mine;
  });
  return seen;
}

class Evaluation : public testing::TestWithParam<Family> {};
INSTANTIATE_TEST_SUITE_P(Families, Evaluation, testing::Values(Family::gpt2, Family::llama),
                         [](const auto& one) { return one.param == Family::gpt2 ? "gpt2" : "llama"; });

TEST_P(Evaluation, IsThatOfOneRankAndLeavesNoTrace) {
  for (const MeshShape mesh : {MeshShape{1, 1, 2}, MeshShape{1, 1, 3}, MeshShape{1, 2, 2}, MeshShape{2, 1, 4}}) {
    for (const Dtype precision : {Dtype::f32, Dtype::bf16}) {
      SCOPED_TRACE(fmt::format("{} x {} x {}, {}", mesh.replica, mesh.shard, mesh.tensor, name(precision)));
      MeshCase c = case_of({mesh, GetParam(), precision, /*accumulation=*/3});
      c.sharding.stage = ZeroStage::parameters;
      MeshCase one = c;
      one.mesh = {};
      one.sharding = {};
      const Seen found = train_and_evaluate(c, true);
      const Seen expected = train_and_evaluate(one, true);
      const std::int64_t terms = std::max(c.train.global_batch * c.train.sequence, c.architecture.feed_forward);
      // A forward pass of each; behind two steps also the errors of the weights, which add less than two of the first.
      const double bound = walk_bound(mesh_path(c), precision, terms, 1) * expected.before;
      EXPECT_NEAR(found.before, expected.before, bound);
      EXPECT_NEAR(found.after, expected.after, 3.0 * bound);
      const Seen undisturbed = train_and_evaluate(c, false);
      ASSERT_EQ(found.metrics.size(), 3U);
      for (std::size_t i = 0; i < found.metrics.size(); ++i) {
        EXPECT_EQ(found.metrics[i].loss, undisturbed.metrics[i].loss) << "step " << i + 1;
        EXPECT_EQ(found.metrics[i].grad_norm, undisturbed.metrics[i].grad_norm) << "step " << i + 1;
      }
    }
  }
}

/// log p of every target (0 where there is none) and the most likely token of every row, by every rank of a tensor
/// axis.
struct Scored {
  std::vector<float> log_prob;
  std::vector<std::int32_t> best;
};

Scored score_on(std::int64_t ranks, const MeshCase& like) {
  Scored scored;
  MeshCase c = like;
  c.mesh = {1, 1, ranks};
  std::mutex mutex;
  run_thread_world(static_cast<int>(ranks), [&](World& world) {
    auto batches = mesh_batches(c);
    MeshRank rank(world, c, batches);
    Model model(c.architecture, c.train.head_rows);
    model.params();
    Plan plan(Saving::none);
    model.plan(plan, {.batch = 4, .time = c.train.sequence, .dtype = c.train.precision, .tensor = ranks});
    plan.commit(*rank.device);
    model.load_constants(*rank.device, *rank.stream, plan);
    model.batch().upload(*rank.device, *rank.stream, plan, batches.read(0, 4));
    const Pass pass{.ops = *rank.ops,
                    .stream = *rank.stream,
                    .plan = plan,
                    .batch = model.batch().view(plan),
                    .tensor_axis = *rank.mesh.tensor};
    model.forward(pass, *rank.store);
    const Model::Scores scores = model.score(pass, *rank.store);
    rank.stream->synchronize();
    const std::int64_t rows = 4 * c.train.sequence;
    const std::vector<float> log_prob(scores.log_prob.as<float>(), scores.log_prob.as<float>() + rows);
    const std::vector<std::int32_t> best(scores.best.as<std::int32_t>(), scores.best.as<std::int32_t>() + rows);
    const std::lock_guard lock(mutex);
    if (!scored.best.empty()) {
      EXPECT_EQ(log_prob, scored.log_prob);
      EXPECT_EQ(best, scored.best);
    }
    scored = {log_prob, best};
  });
  return scored;
}

TEST_P(Evaluation, ScoresOfACutVocabularyAreThoseOfTheWhole) {
  for (const std::int64_t ranks : {2, 3, 4}) {
    SCOPED_TRACE(fmt::format("{} ranks", ranks));
    const MeshCase c = case_of({{1, 1, ranks}, GetParam(), Dtype::f32, 1});
    const Scored found = score_on(ranks, c);
    const Scored expected = score_on(1, c);
    EXPECT_EQ(found.best, expected.best);
    // Logits are below 1 and off by the bound of their norm; log p is a difference of two such numbers and log V.
    const double bound = 2.0 * walk_bound(mesh_path(c), Dtype::f32, c.architecture.feed_forward, 1) + 16 * 0x1.0p-24;
    for (std::size_t i = 0; i < expected.log_prob.size(); ++i) {
      EXPECT_NEAR(found.log_prob[i], expected.log_prob[i], bound) << "row " << i;
    }
  }
}

}  // namespace
}  // namespace trireme
