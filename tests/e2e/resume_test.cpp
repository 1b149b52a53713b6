// SPDX-License-Identifier: Apache-2.0
// A run that is stopped, signalled or killed and then started again ends as if nothing had happened, bit for bit.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <csignal>

#include "tests/e2e/tiny_world.h"

namespace trireme::e2e {
namespace {

using Resume = TinyWorld;

void expect_same_run(const std::string& expected, const std::string& found, std::int64_t last) {
  EXPECT_EQ(lines_without_times(expected), lines_without_times(found));
  EXPECT_EQ(digests_of(expected, last), digests_of(found, last));
}

// Long enough that a signal in its middle comes before its end.
const Words kLong{"--set", "train.steps=400",   "--set", "checkpoint.every=30",
                  "--set", "checkpoint.keep=2", "--set", "eval.every=100"};

std::int64_t steps_told(const std::string& run) {
  return static_cast<std::int64_t>(count(read_text(run + "/metrics.jsonl"), "\"loss\""));
}

TEST_F(Resume, StoppedAtAnyStep) {
  for (const int n : {1, 2}) {
    const auto whole = fmt::format("whole{}", n);
    ASSERT_EQ(ranks(n, train_command(whole)).code, 0);
    for (const int stop : n == 1 ? std::vector{1, 10} : std::vector{4, 5, 19}) {
      const auto dir = fmt::format("stopped{}_{}", n, stop);
      const auto stopped = ranks(n, train_command(dir, {"--stop-at", std::to_string(stop)}));
      EXPECT_EQ(stopped.code, 75) << stopped.err;
      EXPECT_EQ(count(stopped.err, fmt::format("stopped after step {} of 20", stop)), 1U) << stopped.err;
      EXPECT_EQ(steps_told(path(dir)), stop);
      const auto resumed = ranks(n, train_command(dir));
      EXPECT_EQ(resumed.code, 0) << resumed.err;
      EXPECT_EQ(count(resumed.err, fmt::format("resumed after step {} of 20", stop)), 1U) << resumed.err;
      expect_same_run(path(whole), path(dir), 20);
    }
  }
}

TEST_F(Resume, AFinishedRunHasNothingToDo) {
  ASSERT_EQ(ranks(2, train_command("finished")).code, 0);
  const auto before = read_text(path("finished/metrics.jsonl"));
  auto words = train_command("finished");
  words.emplace_back("--json");
  EXPECT_EQ(only_json(ranks(2, words)).at("step"), 20);
  EXPECT_EQ(read_text(path("finished/metrics.jsonl")), before);
}

TEST_F(Resume, AnEarlierStepOnRequest) {
  ASSERT_EQ(ranks(2, train_command("again")).code, 0);
  const auto before = lines_without_times(path("again"));
  const auto outcome = ranks(2, train_command("again", {"--resume", "10"}));
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(has(outcome.err, "resumed after step 10 of 20")) << outcome.err;
  EXPECT_EQ(lines_without_times(path("again")), before);
  EXPECT_TRUE(std::filesystem::exists(path("again/checkpoints/quarantine"))) << "later checkpoints are kept aside";
}

TEST_F(Resume, SignalledOrKilledInTheMiddle) {
  const auto command = [](const std::string& dir) { return trireme(2, train_command(dir, kLong)); };
  const auto whole = run(command("long"), folder());
  ASSERT_EQ(whole.code, 0) << whole.err;

  {  // USR1 to mpirun, which passes it on: a checkpoint at once, exit code 75
    Process process(command("signalled"), folder());
    ASSERT_TRUE(process.wait_until([&] { return steps_told(path("signalled")) >= 40; }));
    process.signal(SIGUSR1);
    const auto outcome = process.wait();
    ASSERT_EQ(outcome.code, 75) << outcome.err;
    const auto step = steps_told(path("signalled"));
    EXPECT_EQ(count(outcome.err, fmt::format("stopped after step {} of 400", step)), 1U) << outcome.err;
    EXPECT_TRUE(std::filesystem::exists(checkpoint_of(path("signalled"), step) + "/MANIFEST.json"));
    const auto resumed = run(command("signalled"), folder());
    ASSERT_EQ(resumed.code, 0) << resumed.err;
    expect_same_run(path("long"), path("signalled"), 400);
  }
  {  // one rank dies: the job ends, and only steps since the checkpoint are done again
    Process process(command("killed"), folder());
    ASSERT_TRUE(process.wait_until([&] { return steps_told(path("killed")) >= 100; }));
    const auto ids = process.children("trireme");
    ASSERT_EQ(ids.size(), 2U);
    kill(ids[1], SIGKILL);
    const auto outcome = process.wait();
    EXPECT_NE(outcome.code, 0);
    EXPECT_NE(outcome.code, 75);
    const auto told = lines_without_times(path("killed"));
    const auto resumed = run(command("killed"), folder());
    ASSERT_EQ(resumed.code, 0) << resumed.err;
    const auto at = resumed.err.find("resumed after step ");
    ASSERT_NE(at, std::string::npos) << resumed.err;
    const auto step = std::stoll(resumed.err.substr(at + 19));
    EXPECT_GE(step, 90) << "the checkpoint before step 100 was complete";
    EXPECT_EQ(step % 30, 0);
    expect_same_run(path("long"), path("killed"), 400);
    const auto lines = lines_without_times(path("killed"));
    for (std::size_t i = 0; i + 1 < told.size(); ++i) EXPECT_EQ(told[i], lines[i]) << "repeated line " << i;
  }
}

}  // namespace
}  // namespace trireme::e2e
