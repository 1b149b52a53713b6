// SPDX-License-Identifier: Apache-2.0
// Training steps against torch's AdamW, over ranks, over a resume; and that nothing allocates once it runs.
#include "core/train/trainer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <mutex>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "core/train/init.h"
#include "kernels/kernels.h"
#include "parallel/parallel.h"
#include "tests/kernels/test_device.h"
#include "tests/parity/bounds.h"
#include "tests/parity/fixed_batches.h"
#include "tests/parity/golden.h"
#include "tests/parity/model_rig.h"

namespace trireme {
namespace {

// A trainer with everything around it, for one rank of `data`.
struct TrainerRig {
  TrainerRig(const Architecture& architecture, const TrainerConfig& config, const OptimizerConfig& optimizer,
             Group& data, BatchSource& source, int threads = 1)
      : a(architecture),
        device(make_test_device({.threads = threads})),
        ops(make_test_ops(*device)),
        stream(device->make_stream("compute")),
        tensor(make_self_group("tensor")),
        table(Model(a).params()),
        store(make_params(table, *device, *ops, config.precision, {.replica = &data})),
        trainer({.architecture = a,
                 .config = config,
                 .optimizer = optimizer,
                 .device = *device,
                 .ops = *ops,
                 .stream = *stream,
                 .store = *store,
                 .data = data,
                 .tensor = *tensor,
                 .source = source}) {
    initialise(table, *store, *device, *stream, config.seed);
  }

  void set_parameters(const NamedValues& values) {
    for (const NamedSlice& slice : store->slices(SliceKind::held)) {
      std::memcpy(slice.master.data, values.at(slice.name).data(), slice.master.bytes());
    }
    store->refresh(*stream);
    stream->synchronize();
  }
  NamedValues parameters() {
    NamedValues values;
    for (const NamedSlice& slice : store->slices(SliceKind::held)) {
      const auto* data = slice.master.as<float>();
      values[slice.name] = {data, data + slice.master.elements()};
    }
    return values;
  }
  std::vector<StepMetrics> run(int steps) {
    std::vector<StepMetrics> all;
    for (int i = 0; i < steps; ++i) {
      if (const auto metrics = trainer.step()) all.push_back(*metrics);
    }
    if (const auto metrics = trainer.flush()) all.push_back(*metrics);
    return all;
  }

  Architecture a;
  std::unique_ptr<Device> device;
  std::unique_ptr<Ops> ops;
  std::unique_ptr<Stream> stream;
  std::unique_ptr<Group> tensor;
  ParamTable table;
  std::unique_ptr<ParamStore> store;
  Trainer trainer;
};

class TrainerParity : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Families, TrainerParity, testing::Values("gpt2", "llama", "llama_tied", "qwen"),
                         [](const auto& one) { return one.param; });

TEST_P(TrainerParity, TenStepsAreTorchs) {
  const Golden golden = read_golden(GetParam());
  const Architecture& a = golden.architecture;
  FixedBatches batches(golden.time, golden.tokens, golden.targets);
  const auto self = make_self_group("replica");
  TrainerConfig config;
  config.steps = golden.steps;
  config.sequence = golden.time;
  config.global_batch = golden.batch;
  config.micro_batch = 1;
  TrainerRig rig(a, config, golden.optimizer, *self, batches);
  NamedValues initial;
  NamedValues trained;
  for (const auto& [name, array] : golden.arrays) {
    if (name.starts_with("initial.")) initial[name.substr(8)] = array;
    if (name.starts_with("trained.")) trained[name.substr(8)] = array;
  }
  rig.set_parameters(initial);
  const auto metrics = rig.run(static_cast<int>(golden.steps));
  ASSERT_EQ(metrics.size(), static_cast<std::size_t>(golden.steps));
  const double bound = relative_bound(a, Dtype::f32, golden.batch * golden.time, 2);
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    // The error of the parameters grows with the steps.
    const double grown = bound * static_cast<double>(i + 1);
    EXPECT_EQ(metrics[i].step, static_cast<std::int64_t>(i) + 1);
    EXPECT_NEAR(metrics[i].loss, golden.losses[i], grown * golden.losses[i]);
    EXPECT_NEAR(metrics[i].grad_norm, golden.norms[i], grown * golden.norms[i]);
  }
  // Adam moves each element by its gradient over the root of its second moment: the movement's relative error, in norm,
  // is the gradient's, as eps here is far above the errors of small gradients; ten steps add up.
  const NamedValues found = rig.parameters();
  for (const auto& [name, expected] : trained) {
    std::vector<float> moved;
    std::vector<float> moved_expected;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      moved.push_back(found.at(name)[i] - initial.at(name)[i]);
      moved_expected.push_back(expected[i] - initial.at(name)[i]);
    }
    const double error = relative_error(moved, moved_expected);
    EXPECT_LT(error, 10.0 * bound) << name;
    RecordProperty(name, fmt::format("{:.3e}", error));
  }
}

Architecture tiny() {
  return {.family = Family::llama,
          .vocabulary = 53,
          .context = 12,
          .layers = 2,
          .width = 16,
          .heads = 4,
          .kv_heads = 2,
          .head_size = 4,
          .feed_forward = 24,
          .tied = true,
          .qkv_bias = false};
}

TrainerConfig tiny_config() {
  TrainerConfig config;
  config.steps = 5;
  config.sequence = 12;
  config.global_batch = 12;
  config.micro_batch = 1;
  config.seed = 7;
  return config;
}

OptimizerConfig tiny_optimizer() {
  OptimizerConfig config;
  config.lr = 1e-2;
  return config;
}

std::vector<StepMetrics> run_ranks(int ranks, const TrainerConfig& config) {
  std::vector<StepMetrics> all;
  run_thread_ranks(ranks, [&](Group& data) {
    auto batches = FixedBatches::random(24, config.sequence, tiny().vocabulary, 9);
    TrainerRig rig(tiny(), config, tiny_optimizer(), data, batches);
    auto metrics = rig.run(static_cast<int>(config.steps));
    if (data.rank() == 0) all = std::move(metrics);
  });
  return all;
}

TEST(Trainer, AnyNumberOfRanksGivesTheSameCurve) {
  for (const Dtype precision : {Dtype::f32, Dtype::bf16}) {
    TrainerConfig config = tiny_config();
    config.precision = precision;
    const auto one = run_ranks(1, config);
    ASSERT_EQ(one.size(), 5U);
    EXPECT_LT(one.back().loss, one.front().loss);
    const std::vector<int> worlds = precision == Dtype::f32 ? std::vector{2, 3, 4} : std::vector{2};
    for (const int ranks : worlds) {
      const auto many = run_ranks(ranks, config);
      ASSERT_EQ(many.size(), one.size());
      for (std::size_t i = 0; i < one.size(); ++i) {
        EXPECT_EQ(many[i].token_hash, one[i].token_hash);
        EXPECT_EQ(many[i].tokens, one[i].tokens);
        // Gradients are sums of the same terms in another order, in fp32; Adam keeps their relative error, and bf16
        // copies of parameters may round to the other side.
        const double bound = static_cast<double>(i + 1) * relative_bound(tiny(), precision, 144, 2);
        EXPECT_NEAR(many[i].loss, one[i].loss, bound * one[i].loss) << ranks << " ranks, step " << i + 1;
      }
    }
  }
}

TEST(Trainer, AccumulationDoesNotChangeTheCurve) {
  TrainerConfig config = tiny_config();
  const auto single = run_ranks(1, config);
  config.micro_batch = 4;
  const auto four = run_ranks(1, config);
  for (std::size_t i = 0; i < single.size(); ++i) {
    EXPECT_EQ(four[i].token_hash, single[i].token_hash);
    const double bound = static_cast<double>(i + 1) * relative_bound(tiny(), Dtype::f32, 144, 2);
    EXPECT_NEAR(four[i].loss, single[i].loss, bound * single[i].loss);
  }
}

TEST(Trainer, SameRunTwiceIsTheSameBits) {
  for (const Recompute recompute : {Recompute::none, Recompute::light, Recompute::full}) {
    TrainerConfig config = tiny_config();
    const auto reference = run_ranks(2, config);
    config.recompute = recompute;
    const auto again = run_ranks(2, config);
    for (std::size_t i = 0; i < reference.size(); ++i) {
      EXPECT_EQ(again[i].loss, reference[i].loss);
      EXPECT_EQ(again[i].grad_norm, reference[i].grad_norm);
    }
  }
}

TEST(Trainer, GoesOnFromAStateAsIfNothingHadHappened) {
  const auto self = make_self_group("replica");
  const TrainerConfig config = tiny_config();
  auto batches = FixedBatches::random(24, config.sequence, tiny().vocabulary, 9);
  TrainerRig whole(tiny(), config, tiny_optimizer(), *self, batches);
  const auto reference = whole.run(5);

  TrainerRig before(tiny(), config, tiny_optimizer(), *self, batches);
  before.run(2);
  TrainerRig after(tiny(), config, tiny_optimizer(), *self, batches);
  const auto from = before.store->slices(SliceKind::held);
  const auto to = after.store->slices(SliceKind::held);
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::memcpy(to[i].master.data, from[i].master.data, from[i].master.bytes());
    std::memcpy(to[i].first.data, from[i].first.data, from[i].first.bytes());
    std::memcpy(to[i].second.data, from[i].second.data, from[i].second.bytes());
  }
  after.store->refresh(*after.stream);
  after.trainer.resume(before.trainer.state());
  const auto rest = after.run(3);
  ASSERT_EQ(rest.size(), 3U);
  for (std::size_t i = 0; i < rest.size(); ++i) {
    EXPECT_EQ(rest[i].step, reference[i + 2].step);
    EXPECT_EQ(rest[i].loss, reference[i + 2].loss);
    EXPECT_EQ(rest[i].grad_norm, reference[i + 2].grad_norm);
    EXPECT_EQ(rest[i].lr, reference[i + 2].lr);
    EXPECT_EQ(rest[i].tokens, reference[i + 2].tokens);
    EXPECT_EQ(rest[i].token_hash, reference[i + 2].token_hash);
  }
}

TEST(Trainer, AllocatesNothingAfterTheFirstStep) {
  const auto self = make_self_group("replica");
  TrainerConfig config = tiny_config();
  config.precision = Dtype::bf16;
  auto batches = FixedBatches::random(24, config.sequence, tiny().vocabulary, 9);
  TrainerRig rig(tiny(), config, tiny_optimizer(), *self, batches);
  rig.trainer.step();
  rig.trainer.flush();
  const auto allocations = rig.device->allocations();
  rig.run(4);
  rig.trainer.evaluate(batches, 5);
  rig.run(2);
  EXPECT_EQ(rig.device->allocations(), allocations);
}

TEST(Trainer, MetricsComeOneStepLate) {
  const auto self = make_self_group("replica");
  const TrainerConfig config = tiny_config();
  auto batches = FixedBatches::random(24, config.sequence, tiny().vocabulary, 9);
  TrainerRig rig(tiny(), config, tiny_optimizer(), *self, batches);
  EXPECT_FALSE(rig.trainer.flush());
  EXPECT_FALSE(rig.trainer.step());
  const auto first = rig.trainer.step();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->step, 1);
  EXPECT_EQ(first->tokens, 144);
  EXPECT_GT(first->tokens_per_second, 0.0);
  EXPECT_GT(first->seconds.compute, 0.0);
  EXPECT_GE(first->seconds.total, first->seconds.compute + first->seconds.optimizer);
  const auto second = rig.trainer.flush();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->step, 2);
  EXPECT_FALSE(rig.trainer.flush());
}

TEST(Trainer, RanksAgreeOnThePeakThatTheyAreMeasuredAgainst) {
  std::vector<double> peaks;
  std::mutex mutex;
  run_thread_ranks(3, [&](Group& data) {
    const TrainerConfig config = tiny_config();
    auto batches = FixedBatches::random(24, config.sequence, tiny().vocabulary, 9);
    TrainerRig rig(tiny(), config, tiny_optimizer(), data, batches);
    for (const StepMetrics& m : rig.run(3)) {
      const std::lock_guard lock(mutex);
      peaks.push_back(training_flops_per_token(tiny(), config.sequence) * m.tokens_per_second / m.mfu);
    }
  });
  ASSERT_EQ(peaks.size(), 9U);
  for (const double peak : peaks) EXPECT_NEAR(peak, peaks[0], 1e-12 * peaks[0]);  // a few roundings of doubles
}

TEST(Trainer, AnErrorOnTheStreamEndsTheNextStepInsteadOfOldMetricsBeingToldAgain) {
  const auto self = make_self_group("replica");
  const TrainerConfig config = tiny_config();
  auto batches = FixedBatches::random(24, config.sequence, tiny().vocabulary, 9);
  TrainerRig rig(tiny(), config, tiny_optimizer(), *self, batches);
  rig.trainer.step();
  rig.trainer.flush();
  rig.stream->call([] { fail("the network is gone"); });
  // By the second step the metrics of the failed one are due.
  const auto two_steps = [&] {
    rig.trainer.step();
    rig.trainer.step();
  };
  EXPECT_THROW(two_steps(), Error);
}

TEST(Trainer, EvaluationIsTheSameBitsForAnyNumberOfRanks) {
  TrainerConfig config = tiny_config();
  config.micro_batch = 2;
  std::vector<double> losses;
  for (const int ranks : {1, 2, 3}) {
    run_thread_ranks(ranks, [&](Group& data) {
      auto batches = FixedBatches::random(24, config.sequence, tiny().vocabulary, 9);
      TrainerRig rig(tiny(), config, tiny_optimizer(), data, batches);
      const double loss = rig.trainer.evaluate(batches, 13).value();  // the last batch is not full
      if (data.rank() == 0) losses.push_back(loss);
    });
  }
  EXPECT_NEAR(losses[0], std::log(53.0), 0.1);  // as good as guessing
  EXPECT_EQ(losses[1], losses[0]);
  EXPECT_EQ(losses[2], losses[0]);
}

TEST(Trainer, AllRanksKnowWhenOneIsAskedToStop) {
  run_thread_ranks(3, [&](Group& data) {
    const TrainerConfig config = tiny_config();
    auto batches = FixedBatches::random(24, config.sequence, tiny().vocabulary, 9);
    TrainerRig rig(tiny(), config, tiny_optimizer(), data, batches);
    std::vector<bool> told;
    for (int step = 0; step < 4; ++step) {
      const auto metrics = rig.trainer.step(step == 2 && data.rank() == 1);
      if (metrics) told.push_back(metrics->stop);
    }
    told.push_back(rig.trainer.flush()->stop);
    EXPECT_EQ(told, (std::vector{false, false, true, false})) << "rank " << data.rank();
    // In an evaluation of three batches on each rank, asked on one rank before the second.
    int asked = 0;
    const auto stop = [&] { return ++asked == 2 && data.rank() == 2; };
    EXPECT_FALSE(rig.trainer.evaluate(batches, 3 * 3 * config.micro_batch, stop));
    EXPECT_EQ(asked, 2);
    EXPECT_TRUE(rig.trainer.evaluate(batches, 3 * 3 * config.micro_batch, [] { return false; }));
  });
}

TEST(Trainer, RefusesABatchThatDoesNotDivide) {
  const auto self = make_self_group("replica");
  TrainerConfig config = tiny_config();
  config.micro_batch = 5;
  auto batches = FixedBatches::random(24, config.sequence, tiny().vocabulary, 9);
  EXPECT_THROW(TrainerRig(tiny(), config, tiny_optimizer(), *self, batches), Error);
}

TEST(Initialise, IsAFunctionOfSeedNameAndIndex) {
  const auto self = make_self_group("replica");
  auto batches = FixedBatches::random(4, 12, tiny().vocabulary, 9);
  TrainerConfig config = tiny_config();
  TrainerRig rig(tiny(), config, tiny_optimizer(), *self, batches);
  TrainerRig same(tiny(), config, tiny_optimizer(), *self, batches);
  EXPECT_EQ(rig.parameters(), same.parameters());
  config.seed = 8;
  TrainerRig other(tiny(), config, tiny_optimizer(), *self, batches);
  EXPECT_NE(rig.parameters(), other.parameters());

  const auto values = rig.parameters();
  const Random random(7, "init blocks.1.mlp.down.weight");
  const auto& down = values.at("blocks.1.mlp.down.weight");
  for (std::size_t i = 0; i < down.size(); ++i) {
    EXPECT_EQ(down[i], static_cast<float>(static_cast<float>(0.02 / 2.0) * random.normal(i)));
  }
  for (const float weight : values.at("head.norm.weight")) EXPECT_EQ(weight, 1.0F);
}

}  // namespace
}  // namespace trireme
