// SPDX-License-Identifier: Apache-2.0
// What `trireme plan` says, held against a trainer that really runs, against formulas, and against arithmetic by hand.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "launch/commands.h"
#include "launch/dry_step.h"
#include "launch/mesh_search.h"
#include "tests/parity/fixed_batches.h"
#include "tests/parity/mesh_rig.h"
#include "tests/parity/traffic_formula.h"

namespace trireme {
namespace {

/// Sizes that nothing divides but what must.
Architecture odd(Family family) {
  const bool gpt2 = family == Family::gpt2;
  return {.family = family,
          .vocabulary = 53,
          .context = 16,
          .layers = 3,
          .width = 20,
          .heads = 4,
          .kv_heads = gpt2 ? 4 : 2,
          .head_size = 4,
          .feed_forward = 27,
          .tied = gpt2,
          .qkv_bias = gpt2};
}

RunConfig config_for(Family family, Dtype precision, Recompute recompute, const MeshShape& mesh = {}) {
  RunConfig config;
  config.model.architecture = odd(family);
  config.mesh = mesh;
  config.train.sequence = 12;
  config.train.micro_batch = 2;
  config.train.global_batch = 4 * mesh.data();
  config.train.head_rows = 7;
  config.train.precision = precision;
  config.train.recompute = recompute;
  return config;
}

RunConfig preset(const std::string& name, const MeshShape& mesh, std::int64_t global_batch) {
  const std::vector<std::string> sets = {"model.preset=" + name,
                                         "data.shards=[none]",
                                         "precision=bf16",
                                         "train.sequence=8192",
                                         fmt::format("train.global_batch={}", global_batch),
                                         fmt::format("mesh.replica={}", mesh.replica),
                                         fmt::format("mesh.shard={}", mesh.shard),
                                         fmt::format("mesh.tensor={}", mesh.tensor)};
  Problems problems;
  auto loaded = load_run_config("", sets, problems);
  validate(loaded, mesh.ranks(), problems);
  problems.raise();
  return loaded.config;
}

Machine h100() { return find_machine("h100", 1); }

std::string cell(const RunConfig& c) {
  return fmt::format("{} {} recompute {} mesh {}x{}x{} ZeRO {} {}",
                     c.model.architecture.family == Family::gpt2 ? "gpt2" : "llama", name(c.train.precision),
                     static_cast<int>(c.train.recompute), c.mesh.replica, c.mesh.shard, c.mesh.tensor,
                     static_cast<int>(c.sharding.stage), c.sharding.reduce == ReduceEvery::step ? "step" : "micro");
}

// Every rank really trains two steps on the CPU device; what its device holds is what was planned.
void expect_planned_bytes(const RunConfig& config) {
  SCOPED_TRACE(cell(config));
  DryRun plan(config, h100());
  const PlannedMemory planned = plan.memory();
  std::size_t sum = 0;
  for (const auto& [purpose, bytes] : planned.purposes) sum += bytes;
  EXPECT_EQ(sum, planned.device);
  std::mutex mutex;
  run_thread_world(static_cast<int>(config.mesh.ranks()), [&](World& world) {
    auto batches = FixedBatches::random(24, config.train.sequence, config.model.architecture.vocabulary, 9);
    MeshRank rank(world,
                  {.architecture = config.model.architecture,
                   .mesh = config.mesh,
                   .train = config.train,
                   .sharding = engine_config(config).sharding},
                  batches);
    for (int i = 0; i < 2; ++i) rank.trainer->step();
    rank.trainer->flush();
    const std::lock_guard lock(mutex);
    EXPECT_EQ(rank.device->allocated_bytes(MemoryKind::device), planned.device - planned.scratch)
        << "rank " << world.rank();
    EXPECT_EQ(rank.device->allocated_bytes(MemoryKind::pinned), planned.pinned) << "rank " << world.rank();
    EXPECT_EQ(rank.trainer->plan().bytes(), plan.activations().bytes());
  });
}

TEST(PlannedMemory, IsToTheByteWhatARunHolds) {
  for (const Family family : {Family::gpt2, Family::llama}) {
    for (const Dtype precision : {Dtype::f32, Dtype::bf16}) {
      for (const Recompute recompute : {Recompute::none, Recompute::light, Recompute::full}) {
        expect_planned_bytes(config_for(family, precision, recompute));
      }
    }
  }
}

TEST(PlannedMemory, IsToTheByteWhatEveryRankOfAMeshHolds) {
  for (const MeshShape& mesh : {MeshShape{.replica = 2}, MeshShape{.shard = 2}, MeshShape{.tensor = 2},
                                MeshShape{.shard = 2, .tensor = 2}, MeshShape{.replica = 2, .shard = 2}}) {
    for (const ZeroStage stage : {ZeroStage::optimizer, ZeroStage::gradients, ZeroStage::parameters}) {
      for (const ReduceEvery reduce : {ReduceEvery::step, ReduceEvery::micro_step}) {
        if (mesh.shard == 1 && (stage != ZeroStage::optimizer || reduce != ReduceEvery::step)) continue;
        auto config = config_for(Family::llama, Dtype::bf16, Recompute::none, mesh);
        config.sharding.stage = stage;
        config.sharding.reduce = reduce;
        expect_planned_bytes(config);
      }
    }
  }
  expect_planned_bytes(config_for(Family::gpt2, Dtype::f32, Recompute::full, {.shard = 2, .tensor = 2}));
}

// The dry step's products against the convention of MFU. They differ by what the convention leaves out, exactly:
// attention's backward makes the scores again (5 products instead of 4), T^2/2 pairs of 2K FLOPs for each head; and
// recomputation does the forward pass of all blocks but the last one twice.
TEST(PlannedStep, CountsTheFlopsOfTheConvention) {
  for (const Family family : {Family::gpt2, Family::llama}) {
    for (const Recompute recompute : {Recompute::none, Recompute::light, Recompute::full}) {
      const auto config = config_for(family, Dtype::bf16, recompute);
      const Architecture& a = config.model.architecture;
      DryRun run(config, h100());
      const auto tokens = static_cast<double>(config.train.global_batch * config.train.sequence);
      const auto width = static_cast<double>(a.heads * a.head_size * config.train.sequence);  // H * K * T
      const auto layers = static_cast<double>(a.layers);
      double per_token = training_flops_per_token(a, config.train.sequence) + layers * width;
      if (recompute == Recompute::full) {
        const auto matrices = static_cast<double>(matmul_parameter_count(a) - a.vocabulary * a.width);
        per_token += (layers - 1.0) / layers * (2.0 * matrices + 2.0 * layers * width);
      }
      EXPECT_NEAR(run.step().counts.product_flops(), per_token * tokens, 1e-12 * per_token * tokens)
          << cell(config);  // sums of integers below 2^53, and a division by the layers
    }
  }
}

// Tensor parallelism divides the products, when all divides.
TEST(PlannedStep, DividesTheProductsOverTheTensorAxis) {
  const double whole = DryRun(preset("llama32_1b", {.replica = 4}, 4), h100()).step().counts.product_flops();
  for (const std::int64_t tensor : {2, 4}) {
    const auto config = preset("llama32_1b", {.replica = 4 / tensor, .tensor = tensor}, 4);
    // As many tokens over as many ranks, and a rank of the axis sees `tensor` times as many.
    EXPECT_EQ(DryRun(config, h100()).step().counts.product_flops(), whole);
  }
}

TEST(PlannedStep, AllocatesNothingAfterTheFirstOne) {
  DryRun run(config_for(Family::llama, Dtype::bf16, Recompute::full, {.replica = 2, .shard = 4, .tensor = 2}), h100());
  run.step();
  const auto allocations = run.device().allocations();
  const auto bytes = run.device().allocated_bytes(MemoryKind::device);
  run.step();
  EXPECT_EQ(run.device().allocations(), allocations);
  EXPECT_EQ(run.device().allocated_bytes(MemoryKind::device), bytes);
}

void expect_formula(const RunConfig& config) {
  SCOPED_TRACE(cell(config));
  const PlannedStep step = DryRun(config, h100()).step();
  StepTraffic found;
  for (const AxisTraffic& axis : step.axes) {
    for (const auto& [kind, t] : axis.collectives) found[{axis.axis, kind}] = {t.calls, t.payload_bytes};
  }
  const StepTraffic expected =
      step_traffic({config.model.architecture, config.mesh, config.train, config.sharding.stage, config.sharding.reduce,
                    config.sharding.reduce_dtype},
                   {});
  EXPECT_EQ(found, expected);
}

TEST(PlannedStep, SendsWhatTheFormulaSays) {
  for (const MeshShape& mesh : {MeshShape{.shard = 2}, MeshShape{.replica = 3, .shard = 4, .tensor = 2}}) {
    for (const ZeroStage stage : {ZeroStage::optimizer, ZeroStage::gradients, ZeroStage::parameters}) {
      auto config = config_for(Family::llama, Dtype::bf16, Recompute::none, mesh);
      config.sharding.stage = stage;
      expect_formula(config);
    }
  }
  expect_formula(preset("llama31_405b", {.replica = 8, .shard = 256, .tensor = 8}, 4096));
}

TEST(PlannedStep, ThePartsOfItsTimeAreTheWhole) {
  const PlannedStep step = DryRun(preset("llama31_8b", {.shard = 8, .tensor = 2}, 16), h100()).step();
  EXPECT_NEAR(step.operation_seconds + step.communication_seconds + step.waiting_seconds, step.seconds,
              1e-9 * step.seconds);
  EXPECT_GT(step.communication_seconds, 0.0);
  double operations = 0.0;
  for (const auto& [kind, c] : step.counts.operations) operations += c.seconds;
  EXPECT_GE(operations, step.operation_seconds * (1.0 - 1e-9));  // other streams may have operations too
  const double tokens = 16 * 8192;
  EXPECT_NEAR(step.tokens_per_second, tokens / step.seconds, 1e-9 * step.tokens_per_second);
}

// 405,853,388,800 parameters over 16,384 ranks: 4 bytes each of masters, 8 of moments, 4 of gradients, 2 of the bf16
// copy, and at most a few per cent of padding.
TEST(PlannedStep, OfTheLargestWorld) {
  const auto config = preset("llama31_405b", {.shard = 2048, .tensor = 8}, 2048);
  DryRun run(config, h100());
  EXPECT_EQ(run.parameters(), 405853388800);
  const double each = 405853388800.0 / 16384.0;
  const auto memory = run.memory();
  const double bytes_each[] = {4, 8, 4, 2};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_GE(static_cast<double>(memory.purposes[i].second), bytes_each[i] * each) << memory.purposes[i].first;
    EXPECT_LE(static_cast<double>(memory.purposes[i].second), 1.02 * bytes_each[i] * each) << memory.purposes[i].first;
  }
  const PlannedStep step = run.step();
  EXPECT_GT(step.mfu, 0.1);
  EXPECT_LT(step.mfu, h100().reached.product);
}

// The row of docs/parallelism.md that is worked out by hand; norms and padding are less than 0.1 %.
TEST(PlannedMemory, OfSeventyBillionParametersOn64RanksIsTheArithmeticByHand) {
  const DryRun run(preset("llama31_70b", {.shard = 16, .tensor = 4}, 2048), h100());
  const double gib = std::int64_t{1} << 30;
  const double block = (8192.0 * 128 * (64 + 2 * 8) + 64.0 * 128 * 8192 + 3.0 * 8192 * 28672) / 4;
  const double end = 128256.0 * 8192 / 4;
  const double each = 70553706496.0 / 64;
  const double kept = 80 * (2 * 8192.0 * (80.0 / 4 * 128 + 64.0 / 4 * 128 + 3.0 * 28672 / 4) + 3 * 2.0 * 2048 * 8192 +
                            4.0 * 64 / 4 * 8192);
  const std::map<std::string, double> expected = {
      {"masters", 4 * each},
      {"moments", 8 * each},
      {"gradients", 4 * each},
      {"copies", 2 * each},
      {"buffers", 6 * (2 * block + end) + 4 * end / 16},
      {"activations: kept for backward", kept},
      {"activations: whole step", 82 * 2.0 * 2048 * 8192 + 4.0 * 8192 * 128},
  };
  std::size_t found = 0;
  for (const auto& [purpose, bytes] : run.memory().purposes) {
    const auto hit = expected.find(purpose);
    if (hit == expected.end()) continue;
    EXPECT_NEAR(static_cast<double>(bytes) / gib, hit->second / gib, 1e-3 * hit->second / gib) << purpose;
    ++found;
  }
  EXPECT_EQ(found, expected.size());
}

TEST(MeshSearch, FindsWaysThatFitFastestFirst) {
  Machine small = h100();
  small.memory_bytes = std::int64_t{24} << 30;
  auto config = preset("llama32_1b", {}, 64);
  config.mesh = {.replica = 0, .shard = 0, .tensor = 0};
  const MeshSearch search = search_meshes(config, small, 8, 5);
  ASSERT_EQ(search.best.size(), 5U);
  EXPECT_GT(search.considered, search.fitting);
  EXPECT_GT(search.fitting, 5);
  for (std::size_t i = 0; i < search.best.size(); ++i) {
    const MeshChoice& choice = search.best[i];
    EXPECT_TRUE(choice.memory.fits);
    EXPECT_EQ(choice.config.mesh.ranks(), 8);
    EXPECT_EQ(choice.config.train.global_batch, 64);
    // What was estimated from its parts is what a plan of it says.
    EXPECT_EQ(DryRun(choice.config, small).memory().all(), choice.memory.all());
    if (i > 0) {
      EXPECT_GE(choice.step.seconds, search.best[i - 1].step.seconds);
    }
  }
}

TEST(MeshSearch, SaysWhatIsTheLeastWhenNothingFits) {
  Machine tiny = h100();
  tiny.memory_bytes = tiny.reserved_bytes + 1000;
  auto config = preset("llama32_1b", {}, 8);
  config.mesh = {.replica = 0, .shard = 0, .tensor = 0};
  const MeshSearch search = search_meshes(config, tiny, 2, 5);
  EXPECT_TRUE(search.best.empty());
  EXPECT_EQ(search.fitting, 0);
  EXPECT_GT(search.least_bytes, std::size_t{8} << 30U);  // half of 16 bytes for each of 1.2 billion parameters
}

/// What the command prints, or what it throws.
std::string said(const std::vector<std::string>& arguments) {
  ::testing::internal::CaptureStdout();
  try {
    const int code = plan_command(arguments);
    auto text = ::testing::internal::GetCapturedStdout();
    EXPECT_EQ(code, 0);
    return text;
  } catch (const Error& e) {
    ::testing::internal::GetCapturedStdout();
    EXPECT_EQ(e.code(), ExitCode::usage);
    return e.what();
  }
}

class PlanCommand : public testing::Test {
 protected:
  PlanCommand() {
    std::ofstream(config_) << "model: {preset: tiny_llama}\ntrain: {sequence: 128, global_batch: 24, micro_batch: 2}\n";
  }
  ~PlanCommand() override { std::filesystem::remove(config_); }

  const std::string config_ = std::filesystem::temp_directory_path() / "trireme_plan_test.yaml";
};

TEST_F(PlanCommand, SaysAllOfItAsJson) {
  const auto json = nlohmann::json::parse(
      said({config_, "--world", "4", "--gpu", "h200", "--json", "--set", "mesh.tensor=2", "--set", "mesh.shard=2"}));
  EXPECT_EQ(json["ranks"], 4);
  EXPECT_EQ(json["machine"], "h200");
  EXPECT_EQ(json["mesh"]["tensor"], 2);
  EXPECT_TRUE(json["memory"]["fits"].get<bool>());
  std::size_t sum = 0;
  for (const auto& [purpose, bytes] : json["memory"]["purposes"].items()) sum += bytes.get<std::size_t>();
  EXPECT_EQ(sum, json["memory"]["bytes"].get<std::size_t>());
  EXPECT_GT(json["step"]["communication"]["tensor"]["all_gather"]["messages"].get<int>(), 0);
  EXPECT_GT(json["step"]["tokens_per_second"].get<double>(), 0.0);
  EXPECT_EQ(json["step"]["tokens"], 1000.0 * 24 * 128);
  EXPECT_NEAR(json["step"]["gpu_hours"].get<double>(), 4 * 24 * json["step"]["days"].get<double>(), 1e-9);
}

TEST_F(PlanCommand, SaysWhatPeopleAskFor) {
  const auto text = said({config_, "--world", "2", "--set", "mesh.shard=2"});
  for (const auto* word :
       {"1262720 parameters", "2 x h100: replica 1 x shard 2 x tensor 1, ZeRO 3", "masters", "kept for backward",
        "fits into 78.50 GiB", "scratch of operations", "libraries, as measured", "shard all_gather",
        "attention_backward", "modelled step", "tokens/s", "MFU", "GPU-hours"}) {
    EXPECT_NE(text.find(word), std::string::npos) << word << " in\n" << text;
  }
  const auto table = said({config_, "--world", "4", "--search"});
  EXPECT_NE(table.find("tiny_llama on 4 x h100"), std::string::npos) << table;
}

TEST_F(PlanCommand, SearchesWhatIsLeftOpen) {
  const auto search = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {config_, "--world", "4", "--search", "--json"});
    return nlohmann::json::parse(said(more));
  };
  const auto held = search({"--set", "mesh.tensor=2", "--set", "mesh.shard=auto"});
  EXPECT_GT(held["best"].size(), 2U);
  for (const auto& choice : held["best"]) EXPECT_EQ(choice["mesh"]["tensor"], 2);
  for (const auto& choice : search({"--set", "mesh.shard=4"})["best"]) EXPECT_EQ(choice["mesh"]["shard"], 4);
  EXPECT_GT(search({})["considered"], held["considered"]);
  // The tensor axis stays within a node.
  const auto apart = search({"--ranks-per-node", "1"});
  EXPECT_LT(apart["considered"], search({})["considered"]);
  for (const auto& choice : apart["best"]) EXPECT_EQ(choice["mesh"]["tensor"], 1);
  EXPECT_NE(said({config_, "--world", "4", "--ranks-per-node", "0"}).find("at least 1"), std::string::npos);
}

TEST_F(PlanCommand, OnTheCpuRanksShareTheHost) {
  const auto memory = [&](const std::string& ranks) {
    return nlohmann::json::parse(said({config_, "--gpu", "cpu", "--world", ranks, "--json"}))["machine_memory_bytes"]
        .get<std::int64_t>();
  };
  EXPECT_EQ(memory("3"), memory("1") / 3);
}

TEST_F(PlanCommand, RefusesWhatCannotBe) {
  const auto mesh = said({config_, "--world", "3", "--set", "mesh.tensor=2"});
  EXPECT_NE(mesh.find("choose among 3*1*1 1*3*1"), std::string::npos) << mesh;
  EXPECT_NE(said({config_, "--gpu", "abacus"}).find("a100, b200, cpu, h100, h200"), std::string::npos);
  EXPECT_NE(said({config_, "--world", "16385"}).find("from 1 to 16384"), std::string::npos);
  EXPECT_NE(said({config_, "--world", "0"}).find("from 1 to 16384"), std::string::npos);
  EXPECT_NE(said({config_, "--set", "model.vocabulary=0"}).find("model.vocabulary=50257"), std::string::npos);
  EXPECT_NE(said({config_, "--search", "--world", "7"}).find("global_batch"), std::string::npos);
  EXPECT_NE(said({}).find("CONFIG is missing"), std::string::npos);
}

}  // namespace
}  // namespace trireme
