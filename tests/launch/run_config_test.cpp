// SPDX-License-Identifier: Apache-2.0
#include "launch/run_config.h"

#include <gtest/gtest.h>

#include <cstdlib>
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
            "  x.yaml:7: train.global_batch = 7 is not a multiple of train.micro_batch * data-parallel ranks = 2 * 3; "
            "the nearest multiple is 6\n"
            "  x.yaml:12: optimizer.beta1 = 0.9 and beta2 = 1 must be below 1\n"
            "  x.yaml:15: data.weights has 1 numbers for 2 folders in data.shards");
}

TEST(RunConfig, AFactorThatWouldSkipWhatIsUsualIsRefused) {
  const std::string data = "data: {shards: [x]}\n";
  EXPECT_EQ(load("train:\n  skip:\n    loss_factor: 1\n    norm_factor: 0.5\n" + data).problems,
            "2 problems in the configuration:\n"
            "  x.yaml:3: train.skip.loss_factor = 1: whatever is above so much of its mean would be skipped; expected "
            "more than 1, or 0 for no such rule\n"
            "  x.yaml:4: train.skip.norm_factor = 0.5: whatever is above so much of its mean would be skipped; "
            "expected more than 1, or 0 for no such rule");
  EXPECT_EQ(load("train: {skip: {loss_factor: 0, norm_factor: 1.02}}\n" + data).problems, "");
}

TEST(RunConfig, AxesWhoseProductIsNoNumberAreRefused) {
  // 2^32 * 2^32 is 0 in 64 bits: a remainder by it ends the process.
  const std::string data = "data: {shards: [x]}\n";
  EXPECT_EQ(load("mesh: {shard: 4294967296, tensor: 4294967296}\n" + data).problems,
            "x.yaml:1: mesh.replica * shard * tensor = auto * 4294967296 * 4294967296: an axis of 4294967296 ranks is "
            "longer than the 1048576 that a job can have");
  EXPECT_NE(load("mesh: {replica: 4294967296, shard: 4294967296}\n" + data).problems.find("4294967296 ranks is longer"),
            std::string::npos);
  EXPECT_NE(load("mesh: {replica: 1048576, shard: 1048576, tensor: 1048576}\n" + data)
                .problems.find("mpirun -n 1152921504606846976"),
            std::string::npos);
}

TEST(RunConfig, WhatOnlyFollowsFromAnotherProblemIsNotSaid) {
  // The values that these would be held against are defaults that nobody asked for.
  EXPECT_EQ(load("train: 3\noptimizer: {schedule: {warmup_steps: 5000}}\ndata: {shards: [x]}\n", 3).problems,
            "x.yaml:1: train is 3; expected a map of settings");
  EXPECT_EQ(load("train: {global_batch: many}\ndata: {shards: [x]}\n", 3).problems,
            "x.yaml:1: train.global_batch is many; expected a whole number, without quotes, underscores or leading "
            "zeros");
  EXPECT_EQ(load("train: {steps: 10, warmup: 3}\n[\n", 3).problems.find("problems in"), std::string::npos);
  EXPECT_NE(load("train: {steps: 10}\n]\n", 3).problems.find("x.yaml:2: not YAML"), std::string::npos);
  EXPECT_EQ(load("hello\n").problems,
            "x.yaml:1: the file holds a single value or a list; expected a map of settings (KEY: VALUE)");
  EXPECT_EQ(load("model: 3\ntrain: {sequence: 4000}\ndata: {shards: [x]}\n").problems,
            "x.yaml:1: model is 3; expected a map of settings");
  EXPECT_EQ(load("model: {preset: [a]}\ntrain: {sequence: 4000}\ndata: {shards: [x]}\n").problems,
            "x.yaml:1: model.preset is a list; expected a single value");
  EXPECT_EQ(load("model: {preset: tiny_gtp2}\ntrain: {sequence: 4000}\ndata: {shards: [x]}\n").problems,
            "x.yaml:1: no model preset 'tiny_gtp2'; did you mean 'tiny_gpt2'?");
  // A misspelt name: what was meant by it is not at its default.
  EXPECT_EQ(load("train: {global_bach: 9}\ndata: {shards: [x]}\n", 3).problems,
            "x.yaml:1: unknown setting 'train.global_bach'; did you mean 'train.global_batch'?");
  // What does not follow is said.
  const auto both = load("train: {micro_batch: x}\ndata: {shards: [x], validation: 1}\n", 3).problems;
  EXPECT_NE(both.find("2 problems"), std::string::npos) << both;
  EXPECT_NE(both.find("data.validation = 1 leaves nothing"), std::string::npos) << both;
}

TEST(RunConfig, TheSequenceFollowsTheModelsContext) {
  EXPECT_EQ(load("model: {preset: tiny_gpt2}\ndata: {shards: [x]}\n").config.train.sequence, 256);
  EXPECT_EQ(load("model: {preset: tiny_gpt2, context: 100}\ndata: {shards: [x]}\n").config.train.sequence, 100);
  EXPECT_EQ(load("model: {preset: llama31_8b}\ndata: {shards: [x]}\n").config.train.sequence, 1024);
  EXPECT_EQ(load("train: {sequence: 0}\ndata: {shards: [x]}\n").config.train.sequence, 256);
  EXPECT_EQ(load("train: {sequence: 64}\ndata: {shards: [x]}\n").config.train.sequence, 64);
  const auto r = load("data: {shards: [x]}\n");
  EXPECT_EQ(r.problems, "");
  EXPECT_NE(to_yaml(r.config).find("  sequence: 256\n"), std::string::npos) << "resolved in run.yaml";
}

TEST(RunConfig, DifferencesAreNamedAndAligned) {
  const auto before = load("data: {shards: [x]}\n").config;
  auto now = before;
  EXPECT_TRUE(differences(before, now).empty());
  now.optimizer.lr = 0.25;
  now.train.seed = 7;
  now.data.shards = {"x", "y"};
  now.run.dir = "elsewhere";  // may differ
  EXPECT_EQ(differences(before, now), (std::vector<std::string>{
                                          "train.seed:   was 1, now 7",
                                          fmt::format("optimizer.lr: was {}, now 0.25", before.optimizer.lr),
                                          "data.shards:  was [\"x\"], now [\"x\",\"y\"]",
                                      }));
}

TEST(RunConfig, WithoutPresetsItIsSaidWhereTheyWereLookedFor) {
  setenv("TRIREME_CONFIGS", "/nowhere/configs", 1);
  const auto problems = load("data: {shards: [x]}\n").problems;
  unsetenv("TRIREME_CONFIGS");
  EXPECT_EQ(problems,
            "x.yaml: no model preset 'tiny_gpt2': no presets (models/*.yaml) in /nowhere/configs; set TRIREME_CONFIGS "
            "to the folder configs/ of the sources, or model.preset to the path of a preset");
  const auto places = configs_places();
  ASSERT_GE(places.size(), 2U);
  EXPECT_EQ(places.back(), "configs");
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
  other.train.recompute = Recompute::full;  // what a run needs that goes on with less memory
  other.train.head_rows = 16;
  other.sharding.stage = ZeroStage::optimizer;
  other.sharding.reduce = ReduceEvery::step;
  other.checkpoint.every = 3;
  other.cpu.threads = 2;
  EXPECT_EQ(hash_of(other), hash_of(base));
  const std::vector<std::function<void(RunConfig&)>> changes = {
      [](RunConfig& c) { c.train.seed = 2; },
      [](RunConfig& c) { c.optimizer.lr *= 2; },
      [](RunConfig& c) { c.train.global_batch = 16; },
      [](RunConfig& c) { c.model.architecture.layers = 1; },
      [](RunConfig& c) { c.data.shards = {"y"}; },
      [](RunConfig& c) { c.train.precision = Dtype::bf16; },
      [](RunConfig& c) { c.sharding.reduce_dtype = Dtype::bf16; }};
  for (const auto& change : changes) {
    other = base;
    change(other);
    EXPECT_NE(hash_of(other), hash_of(base));
  }
}

}  // namespace
}  // namespace trireme
