// SPDX-License-Identifier: Apache-2.0
// A small study, undisturbed, killed and stopped: the same table in the end, whatever fails in between.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <map>

#include "core/scaling/csv.h"
#include "tests/e2e/tiny_world.h"

namespace trireme::e2e {
namespace {

/// By the names of the columns, but for those that a clock has written.
using Row = std::map<std::string, std::string>;

class Sweep : public TinyWorld {
 protected:
  /// A study in the folder `name`, of runs on `each` ranks.
  static Words study(const std::string& name, int each, const std::string& more) {
    write_text(path(name + ".yaml"), fmt::format("name: {0}\n"
                                                 "folder: {0}\n"
                                                 "base:\n"
                                                 "  model: {{preset: tiny_gpt2, vocabulary: 600, head_size: 8}}\n"
                                                 "  train: {{sequence: 64, global_batch: 4, micro_batch: 2,\n"
                                                 "          skip: {{window: 1, loss_factor: 1.5, norm_factor: 0, "
                                                 "budget: 2}}}}\n"
                                                 "  optimizer: {{schedule: {{warmup_steps: 0}}}}\n"
                                                 "  data: {{shards: [shards], validation: 0.05}}\n"
                                                 "  eval: {{samples: 4}}\n"
                                                 "  checkpoint: {{every: 25}}\n"
                                                 "  cpu: {{threads: 1}}\n"
                                                 "models: [{{layers: 1, width: 16, heads: 2}}, {{layers: 2, width: 32, "
                                                 "heads: 4}}]\n"
                                                 "ranks: {{choice: fixed, each: {1}}}\n"
                                                 "retries: 1\n"
                                                 "{2}",
                                                 name, each, more));
    return {"sweep", name + ".yaml"};
  }

  static std::map<std::string, Row> table(const std::string& name) {
    std::map<std::string, Row> rows;
    const auto csv = parse_table(read_text(path(name + "/results.csv")), name);
    for (const auto& values : csv.rows) {
      Row row;
      for (std::size_t c = 0; c < csv.columns.size(); ++c) {
        if (csv.columns[c] == "seconds" || csv.columns[c] == "tokens_per_second") continue;
        auto value = values[c];
        if (const auto at = value.find(name + "/runs"); at != std::string::npos) value.replace(at, name.size(), "*");
        row[csv.columns[c]] = value;
      }
      rows[row.at("run")] = row;
    }
    return rows;
  }
  static std::size_t steps_made(const std::string& name) {
    std::size_t steps = 0;
    std::error_code none;
    for (const auto& run : std::filesystem::directory_iterator(path(name + "/runs"), none)) {
      steps += count(read_text(run.path().string() + "/metrics.jsonl"), "\"loss\"");
    }
    return steps;
  }
};

const std::string kTroubled =
    "budgets: {tokens: [20000, 60000]}\n"
    "grid:\n"
    "  - {set: optimizer.lr, to: ['0.002', '1000']}\n"
    "  - {set: data.shards, to: ['[shards]', '[missing]']}\n";

TEST_F(Sweep, KilledAndStartedAgainOnFewerRanksEndsWithTheSameTable) {
  const auto whole = ranks(3, study("whole", 1, kTroubled));
  ASSERT_EQ(whole.code, 0) << whole.err;
  const auto expected = table("whole");
  ASSERT_EQ(expected.size(), 16U) << whole.err;
  std::map<std::string, int> seen;
  for (const auto& [name, row] : expected) {
    const bool diverges = row.at("optimizer.lr") == "1000.0";
    const bool missing = has(row.at("data.shards"), "missing");
    const auto& reason = row.at("reason");
    const auto* status = missing ? "failed" : diverges ? "diverged" : "done";
    EXPECT_EQ(row.at("status"), status) << name << ": " << reason;
    EXPECT_EQ(row.at("failed_attempts"), missing ? "2" : diverges ? "1" : "0") << "only what may end better is retried";
    EXPECT_EQ(row.at("validation_loss").empty(), diverges || missing);
    if (missing) {
      EXPECT_TRUE(has(reason, "missing is not there")) << reason;
    } else if (diverges) {
      EXPECT_TRUE(has(reason, "the run has diverged") || has(reason, "train.skip.budget")) << reason;
    }
    ++seen[row.at("status")];
  }
  EXPECT_EQ(seen["done"], 4);

  const auto words = study("killed", 1, kTroubled);
  {
    Process job(trireme(3, words), folder());
    ASSERT_TRUE(job.wait_until([&] { return steps_made("killed") > 200; })) << job.errors_so_far();
    kill(rank_of(job, 2), SIGKILL);
    const auto outcome = job.wait();
    EXPECT_NE(outcome.code, 0);
  }
  const auto again = ranks(2, words);
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(table("killed"), expected);
  const auto done = ranks(2, words);
  EXPECT_EQ(done.code, 0);
  EXPECT_FALSE(has(done.err, "starts on")) << done.err;
  auto allowed_more = words;
  allowed_more.insert(allowed_more.end(), {"--set", "base.train.skip.budget=3"});
  const auto changed = ranks(2, allowed_more);
  EXPECT_EQ(changed.code, 0) << changed.err;
  EXPECT_EQ(count(changed.err, "starts on"), 4U) << "those that had diverged with less: " << changed.err;
}

TEST_F(Sweep, StoppedAndStartedAgainEndsWithTheSameTable) {
  const std::string budgets = "budgets: {tokens: [20000, 50000]}\n";
  const auto whole = ranks(3, study("whole2", 2, budgets));
  ASSERT_EQ(whole.code, 0) << whole.err;
  ASSERT_EQ(table("whole2").size(), 4U);
  const auto words = study("stopped", 2, budgets);
  {
    Process job(trireme(3, words), folder());
    ASSERT_TRUE(job.wait_until([&] { return steps_made("stopped") > 100; })) << job.errors_so_far();
    job.signal(SIGUSR1);
    const auto outcome = job.wait();
    EXPECT_EQ(outcome.code, 75) << outcome.err;
    EXPECT_EQ(count(outcome.err, "the same command goes on"), 1U) << outcome.err;
    EXPECT_LT(steps_made("stopped"), steps_made("whole2"));
  }
  const auto again = ranks(2, words);
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(table("stopped"), table("whole2"));
}

TEST_F(Sweep, EveryValidationSetAndTheExamHaveTheirColumns) {
  std::filesystem::create_directories(path("other"));
  std::filesystem::copy(path("shards"), path("other/shards"));
  std::filesystem::copy(path("shards"), path("more"));
  auto words = study("sets", 2, "budgets: {tokens: [10000]}\n");
  for (const char* set : {"base.data.shards=[shards, more]", "base.eval.shards=[other/shards/]",
                          "base.eval.exam=world/exam", "base.eval.shots=2"}) {
    words.insert(words.end(), {"--set", set});
  }
  const auto outcome = ranks(2, words);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto rows = table("sets");
  ASSERT_EQ(rows.size(), 2U);
  for (const auto& [name, row] : rows) {
    for (const char* set : {"shards", "more", "other_shards"}) {
      EXPECT_GT(std::stod(row.at(fmt::format("validation_loss_{}", set))), 1.0) << name << " " << set;
    }
    EXPECT_LE(std::stod(row.at("accuracy")), 1.0);
    EXPECT_NEAR(std::stod(row.at("task_loss")), std::log(4.0), 0.5) << "four choices, and a model that knows nothing";
    // As `trireme eval` says of the same checkpoint.
    const auto run = *std::filesystem::directory_iterator(path("sets/runs"));
    const auto metrics = read_text(run.path().string() + "/metrics.jsonl");
    const auto exam = only_json(alone({"eval", run.path().string(), "--data", "world/exam", "--shots", "2", "--json"}));
    EXPECT_TRUE(has(metrics, fmt::format("\"accuracy\":{}", exam.at("micro").at("accuracy").dump()))) << metrics;
    EXPECT_EQ(count(metrics, "\"exam\""), 1U);
  }
  auto wrong = words;
  wrong.insert(wrong.end(), {"--set", "base.eval.exam=nowhere", "--set", "base.eval.shards=[missing]", "--set",
                             "folder=wrong", "--set", "retries=0"});
  EXPECT_EQ(ranks(2, wrong).code, 2);
}

TEST_F(Sweep, BranchesEndAsRunsOfTheirOwnWould) {
  const auto more = [](const char* branch) {
    return fmt::format("budgets: {{tokens: [10000, 20000, 30000], branch: {}}}\n", branch);
  };
  const Words wsd{"--set", "base.optimizer.schedule.kind=wsd"};
  auto branched = study("branched", 1, more("true"));
  auto alone = study("alone", 1, more("false"));
  branched.insert(branched.end(), wsd.begin(), wsd.end());
  alone.insert(alone.end(), wsd.begin(), wsd.end());
  const auto outcome = ranks(2, branched);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  ASSERT_EQ(ranks(2, alone).code, 0);
  auto found = table("branched");
  int branches = 0;
  for (auto& [name, row] : found) {
    if (!row.at("branch_of").empty()) ++branches;
    row["branch_of"] = "";
    row["trunk"] = name;  // which a run of its own is
  }
  EXPECT_EQ(branches, 4);
  EXPECT_EQ(found, table("alone"));
}

}  // namespace
}  // namespace trireme::e2e
