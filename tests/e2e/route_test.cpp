// SPDX-License-Identifier: Apache-2.0
// The main route in small: synthetic world, tokenizer, shards, two kinds of model, exam; the same on any number of
// ranks.
#include <gtest/gtest.h>

#include "tests/e2e/tiny_world.h"

namespace trireme::e2e {
namespace {

namespace fs = std::filesystem;

using Route = TinyWorld;

std::map<std::string, std::string> files_of(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files[fs::relative(entry.path(), folder)] = read_text(entry.path());
  }
  return files;
}

std::uint64_t sum(const nlohmann::json& counts) {
  std::uint64_t total = 0;
  for (const auto& [reason, n] : counts.items()) total += n.get<std::uint64_t>();
  return total;
}

TEST_F(Route, TheSameWorldAndTokenizerAgain) {
  const auto world = only_json(alone({"synth", "world2", "--documents", "1500", "--seed", "1", "--json"}));
  EXPECT_EQ(world.at("documents"), 1500);
  EXPECT_EQ(files_of(path("world")), files_of(path("world2")));
  const auto learnt = only_json(alone({"tokenizer", "train", "--input", "world/crawl", "world/wiki", "--vocab", "600",
                                       "--threads", "1", "--out", "again.json", "--json"}));
  EXPECT_EQ(learnt.at("vocab_size"), 600);
  EXPECT_EQ(read_text(path("again.json")), read_text(path("tokenizer.json")));
}

TEST_F(Route, OneTwoAndThreeRanksWriteTheSameBytesAndCountEveryDocument) {
  const auto first = files_of(path("shards"));
  ASSERT_GE(first.size(), 5U) << "one shard alone would show nothing";
  ASSERT_EQ(first.count("corpus.json"), 1U);
  for (const int n : {1, 2, 3}) {
    const auto out = "shards_by_" + std::to_string(n);
    auto words = data_command(out);
    words.emplace_back("--json");
    const auto json = only_json(ranks(n, words));
    EXPECT_EQ(json.at("read"),
              json.at("kept").get<std::uint64_t>() + sum(json.at("rejected")) + sum(json.at("failed")));
    EXPECT_GT(json.at("kept"), 1000);
    EXPECT_EQ(json.at("rejected").at("duplicate"), 33);  // as world.json says
    EXPECT_EQ(json.at("rejected").at("source: redirect"), 30);
    EXPECT_EQ(json.at("rejected").at("source: namespace not 0"), 7);
    EXPECT_EQ(json.at("failed").at("invalid UTF-8"), 4);
    const auto files = files_of(path(out));
    ASSERT_EQ(files.size(), first.size());
    for (const auto& [name, bytes] : files) EXPECT_TRUE(first.at(name) == bytes) << name << " on " << n << " ranks";
  }
}

TEST_F(Route, WhatIsThereIsNotMadeAgain) {
  auto words = data_command("shards");
  words.emplace_back("--json");
  EXPECT_EQ(only_json(ranks(2, words)).at("up_to_date"), true);
}

TEST_F(Route, BothFamiliesTrainAndSitTheExamWithTheSameAnswersOnAnyRanks) {
  for (const std::string family : {"gpt2", "llama"}) {
    const auto dir = "run_" + family;
    Words train{"train", std::string(TRIREME_SOURCE_DIR) + "/configs/train/tiny_" + family + ".yaml", "--json"};
    for (const auto& set : {std::string("data.shards=[shards]"), "run.dir=" + dir, std::string("train.steps=6"),
                            std::string("train.sequence=64"), std::string("optimizer.schedule.warmup_steps=1")}) {
      train.insert(train.end(), {"--set", set});
    }
    const auto trained = only_json(ranks(2, train));
    EXPECT_EQ(trained.at("step"), 6);
    EXPECT_LT(trained.at("loss_last"), trained.at("loss_first"));
    EXPECT_FALSE(trained.at("validation_loss").is_null());
    EXPECT_TRUE(has(read_text(path(dir + "/loss.svg")), "<svg"));

    std::string answers;
    nlohmann::json report;
    for (const int n : {1, 2, 3}) {
      const auto out = dir + "/exam" + std::to_string(n);
      auto json = only_json(
          ranks(n, {"eval", dir, "--tasks", "mmlu", "--data", "world/exam", "--shots", "0", "--out", out, "--json"}));
      const auto lines = read_text(path(out + ".jsonl"));
      for (const auto* time : {"seconds", "questions_per_second", "tokens_per_second"}) json.erase(time);
      EXPECT_EQ(json.at("micro").at("questions"), count(lines, "\n"));
      EXPECT_EQ(json.at("answers_hash").get<std::string>().size(), 32U);
      if (n == 1) {
        answers = lines;
        report = json;
      }
      EXPECT_EQ(lines, answers) << n << " ranks";
      EXPECT_EQ(json, report) << n << " ranks";
    }
    EXPECT_EQ(report.at("subjects").size(), 7U);
    EXPECT_NE(only_json(ranks(2, {"eval", dir, "--data", "world/exam", "--untrained", "--json"})).at("answers_hash"),
              report.at("answers_hash"))
        << "six steps change the scores";
  }
}

TEST_F(Route, JsonIsAllThatStdoutHolds) {
  ASSERT_EQ(ranks(2, train_command("short", {"--stop-at", "20"})).code, 0);
  for (const auto& what :
       {"shards", "shards/corpus.json", "shards/shard-000000.h5", "short", "short/checkpoints/step-00000020"}) {
    EXPECT_FALSE(only_json(alone({"inspect", what, "--verify", "--json"})).empty()) << what;
  }
  EXPECT_FALSE(only_json(alone({"tokenizer", "inspect", "--tokenizer", "tokenizer.json", "--json"})).empty());
  write_text(path("text"), "In the market of that town a weaver sells cloth.");
  const auto encoded =
      only_json(alone({"tokenizer", "encode", "--tokenizer", "tokenizer.json", "--file", "text", "--json"}));
  std::string ids;
  for (const auto& id : encoded.at("ids")) ids += id.dump() + " ";
  write_text(path("ids"), ids);
  EXPECT_EQ(
      only_json(alone({"tokenizer", "decode", "--tokenizer", "tokenizer.json", "--file", "ids", "--json"})).at("text"),
      read_text(path("text")));
  const auto wire = only_json(ranks(2, {"bench", "collectives", "--bytes", "64K", "--iterations", "2", "--json"}));
  ASSERT_EQ(wire.at("collectives").size(), 3U);
  for (const auto& line : wire.at("collectives")) {
    EXPECT_EQ(line.at("bytes"), 65536);
    const double algorithm = line.at("algorithm_bytes_per_second");
    EXPECT_DOUBLE_EQ(algorithm, 65536 / line.at("seconds").get<double>());
    EXPECT_DOUBLE_EQ(line.at("bus_bytes_per_second"),
                     line.at("collective") == "all_reduce" ? algorithm : algorithm / 2);
  }
  EXPECT_GT(only_json(ranks(2, {"bench", "step", "--preset", "tiny_gpt2", "--batch", "1", "--sequence", "32", "--steps",
                                "2", "--json"}))
                .at("tokens_per_second"),
            0);
}

}  // namespace
}  // namespace trireme::e2e
