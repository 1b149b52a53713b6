// SPDX-License-Identifier: Apache-2.0
// A request to stop reaches every long loop: training, its validation, an exam, the data pipeline, the learning of a
// vocabulary; and so does the end of the time that a run has.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <csignal>
#include <ctime>
#include <filesystem>

#include "tests/e2e/tiny_world.h"

namespace trireme::e2e {
namespace {

class Stop : public TinyWorld {
 protected:
  static Words with(Words words, const Words& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  /// A run that would take very long.
  static Words endless(const std::string& dir) {
    return train_command(dir, {"--set", "train.steps=1000000", "--set", "checkpoint.every=0", "--set", "eval.every=0",
                               "--set", "log.every=100"});
  }
  static std::size_t steps_told(const std::string& dir) {
    return count(read_text(path(dir) + "/metrics.jsonl"), "\"loss\"");
  }
  static void expect_saved(const std::string& dir, const Outcome& outcome) {
    EXPECT_EQ(outcome.code, 75) << outcome.err;
    const auto step = static_cast<std::int64_t>(steps_told(dir));
    EXPECT_GT(step, 0);
    EXPECT_EQ(count(outcome.err, fmt::format("stopped after step {} of ", step)), 1U) << outcome.err;
    EXPECT_TRUE(std::filesystem::exists(checkpoint_of(path(dir), step) + "/MANIFEST.json"));
  }
};

TEST_F(Stop, ASignalToOneRankStopsAll) {
  Process job(trireme(3, endless("one")), folder());
  ASSERT_TRUE(job.wait_until([&] { return steps_told("one") >= 5; })) << job.errors_so_far();
  const auto ranks = job.children("trireme");
  ASSERT_EQ(ranks.size(), 3U);
  kill(ranks[2], SIGTERM);
  expect_saved("one", job.wait());
}

TEST_F(Stop, TheTimeThatWasGivenIsNotExceeded) {
  auto words = with(endless("limit"), {"--max-seconds", "3"});
  expect_saved("limit", ranks(2, words));
  EXPECT_EQ(alone(with(endless("limit"), {"--max-seconds", "-3"})).code, 2);
}

TEST_F(Stop, TheEndOfTheBatchJobIsSeenComing) {
  // Less than a minute is left: a step, a checkpoint, and out.
  auto words = Words{"env", fmt::format("SLURM_JOB_END_TIME={}", std::time(nullptr) + 50)};
  expect_saved("slurm", run(with(words, trireme(2, endless("slurm"))), folder()));
  EXPECT_LE(steps_told("slurm"), 3U);
}

TEST_F(Stop, AValidationIsBrokenOffAndMadeUpFor) {
  const Words slow{"--set", "optimizer.schedule.warmup_steps=1",
                   "--set", "train.steps=4",
                   "--set", "eval.every=2",
                   "--set", "eval.samples=100000",
                   "--set", "data.validation=0.5",
                   "--set", "checkpoint.every=0"};
  const auto words = train_command("validation", slow);
  const auto whole = ranks(2, train_command("undisturbed", slow));
  ASSERT_EQ(whole.code, 0) << whole.err;
  Process job(trireme(2, words), folder());
  ASSERT_TRUE(job.wait_until([&] { return steps_told("validation") >= 2; })) << job.errors_so_far();
  job.signal(SIGUSR1);
  const auto outcome = job.wait();
  EXPECT_EQ(outcome.code, 75) << outcome.err;
  EXPECT_TRUE(has(outcome.err, "stopped after step 2 of 4")) << outcome.err;
  EXPECT_EQ(count(read_text(path("validation/metrics.jsonl")), "validation_loss"), 0U) << outcome.err;
  const auto resumed = ranks(2, words);
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(lines_without_times(path("validation")), lines_without_times(path("undisturbed")));
}

TEST_F(Stop, ACorpusGoesOnWhereItWas) {
  const auto command = [](const std::string& out) { return with(data_command(out), {"--set", "unit_bytes=20000"}); };
  Process job(trireme(2, command("again")), folder());
  ASSERT_TRUE(job.wait_until([&] { return std::filesystem::exists(path("again/.stage")); })) << job.errors_so_far();
  job.signal(SIGUSR1);
  const auto outcome = job.wait();
  EXPECT_EQ(outcome.code, 75) << outcome.err;
  EXPECT_EQ(count(outcome.err, "stopped on request"), 1U) << outcome.err;
  EXPECT_FALSE(std::filesystem::exists(path("again/corpus.json")));
  ASSERT_EQ(ranks(2, command("again")).code, 0);
  ASSERT_EQ(alone(command("other")).code, 0);
  EXPECT_EQ(read_text(path("again/corpus.json")), read_text(path("other/corpus.json")));
}

TEST_F(Stop, AVocabularyIsNotWritten) {
  Process job(trireme({"tokenizer", "train", "--input", "world/crawl", "world/wiki", "--vocab", "60000", "--min-count",
                       "1", "--out", "never.json"}),
              folder());
  // Started, and listening: the signal's default would end it with another code.
  ASSERT_TRUE(job.wait_until([&] {
    const auto status = read_text(fmt::format("/proc/{}/status", job.id()));
    const auto at = status.find("SigCgt:\t");
    return at != std::string::npos && (std::stoull(status.substr(at + 8, 16), nullptr, 16) & (1ULL << (SIGUSR1 - 1)));
  }));
  job.signal(SIGUSR1);
  const auto outcome = job.wait();
  EXPECT_EQ(outcome.code, 75) << outcome.err;
  EXPECT_EQ(count(outcome.err, "stopped on request"), 1U) << outcome.err;
  EXPECT_FALSE(std::filesystem::exists(path("never.json")));
}

}  // namespace
}  // namespace trireme::e2e
