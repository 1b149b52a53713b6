// SPDX-License-Identifier: Apache-2.0
#include "launch/run_config.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "core/base/error.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

/// The settings from text, valid for this many ranks; or all the problems.
struct Loaded {
  RunConfig config;
  std::string problems;
};

Loaded load(const std::string& yaml, std::int64_t ranks = 1) {
  const auto path = fs::temp_directory_path() / "trireme_run_config_test.yaml";
  std::ofstream(path) << yaml;
  Problems problems;
  auto loaded = load_run_config(path, {}, problems);
  validate(loaded, ranks, problems);
  Loaded result{loaded.config, ""};
  try {
    problems.raise();
  } catch (const Error& e) {
    result.problems = e.what();
    const auto name = path.string();
    for (std::size_t at = 0; (at = result.problems.find(name, at)) != std::string::npos;) {
      result.problems.replace(at, name.size(), "x.yaml");
    }
  }
  return result;
}

TEST(RunConfig, EveryPresetLoadsAndIsValid) {
  std::size_t presets = 0;
  for (const auto& entry : fs::directory_iterator(configs_folder() + "/models")) {
    const auto r =
        load("model: {preset: " + entry.path().stem().string() + "}\ntrain: {sequence: 64}\ndata: {shards: [x]}\n");
    EXPECT_EQ(r.problems, "") << entry.path();
    ++presets;
  }
  EXPECT_GE(presets, 28U);
}

TEST(RunConfig, EveryTrainingFileIsValid) {
  for (const auto& entry : fs::directory_iterator(configs_folder() + "/train")) {
    Problems problems;
    const std::vector<std::string> sets = {"data.shards=[x]"};
    auto loaded = load_run_config(entry.path(), sets, problems);
    validate(loaded, 2, problems);
    EXPECT_NO_THROW(problems.raise()) << entry.path();
  }
}

TEST(RunConfig, SettingsOfTheModelReplaceThePresets) {
  const auto r =
      load("model: {preset: llama31_8b, layers: 2, rope: {factor: 1}}\ntrain: {sequence: 64}\ndata: {shards: [x]}\n");
  EXPECT_EQ(r.problems, "");
  const auto& a = r.config.model.architecture;
  EXPECT_EQ(a.layers, 2);
  EXPECT_EQ(a.width, 4096);
  EXPECT_EQ(a.rope.factor, 1.0);
  EXPECT_EQ(a.rope.theta, 500000.0);
}

TEST(RunConfig, AllThatCannotBeIsSaidAtOnceWithItsPlace) {
  const auto r = load(
      "model:\n  preset: tiny_llama\n  heads: 6\n  kv_heads: 4\ntrain:\n  sequence: 1000\n  global_batch: 7\n"
      "  micro_batch: 2\nmesh:\n  replica: 3\noptimizer:\n  beta2: 1.0\ndata:\n  shards: [a, b]\n  weights: [1]\n",
      2);
  EXPECT_EQ(r.problems,
            "6 problems in the configuration:\n"
            "  x.yaml:4: model.kv_heads = 4 does not divide model.heads = 6\n"
            "  x.yaml:6: train.sequence = 1000 is longer than model.context = 256\n"
            "  x.yaml:10: mesh.replica * shard * tensor = 3 * 1 * 1 cannot be the 2 ranks of this job; start it with "
            "mpirun -n 3, or choose among 2*1*1 1*2*1 1*1*2\n"
            "  x.yaml:7: train.global_batch = 7 is not a multiple of train.micro_batch * data-parallel ranks = 2 * 3\n"
            "  x.yaml:12: optimizer.beta1 = 0.9 and beta2 = 1 must be below 1\n"
            "  x.yaml:15: data.weights has 1 numbers for 2 folders in data.shards");
}

TEST(RunConfig, AnUnknownPresetNamesTheNearest) {
  EXPECT_NE(load("model: {preset: tiny_gpt}\n").problems.find("did you mean 'tiny_gpt2'?"), std::string::npos);
}

TEST(RunConfig, TheResolvedSettingsReadBackTheSame) {
  const auto r =
      load("model: {preset: gpt2_124m}\ntrain: {sequence: 64, seed: 7}\ndata: {shards: [x], weights: [0.5]}\n", 4);
  ASSERT_EQ(r.problems, "");
  const auto text = to_yaml(r.config);
  Problems problems;
  RunConfig again;
  read_fields(parse_yaml(text, "text", problems), problems, [&](FieldVisitor& v) { fields(v, again); });
  EXPECT_NO_THROW(problems.raise());
  EXPECT_EQ(to_yaml(again), text);
  EXPECT_EQ(again.mesh.replica, 4);
  EXPECT_EQ(again.train.seed, 7U);
}

TEST(RunConfig, TheHashIsOfWhatFixesTheResult) {
  const auto base = load("data: {shards: [x]}\ntrain: {sequence: 64, global_batch: 8}\n").config;
  auto other = base;
  other.run.dir = "elsewhere";
  other.log.every = 1;
  other.mesh.replica = 8;
  other.train.micro_batch = 4;
  other.checkpoint.every = 3;
  other.cpu.threads = 2;
  EXPECT_EQ(hash_of(other), hash_of(base));
  const std::vector<std::function<void(RunConfig&)>> changes = {
      [](RunConfig& c) { c.train.seed = 2; },          [](RunConfig& c) { c.optimizer.lr *= 2; },
      [](RunConfig& c) { c.train.global_batch = 16; }, [](RunConfig& c) { c.model.architecture.layers = 1; },
      [](RunConfig& c) { c.data.shards = {"y"}; },     [](RunConfig& c) { c.train.precision = Dtype::bf16; }};
  for (const auto& change : changes) {
    other = base;
    change(other);
    EXPECT_NE(hash_of(other), hash_of(base));
  }
}

}  // namespace
}  // namespace trireme
