// SPDX-License-Identifier: Apache-2.0
// Jobs that hang or break, under mpirun: they end within the set time, and say whose fault it is.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <string>

namespace {

// Long enough that a busy machine lets every rank speak, short enough for a test.
constexpr double kSeconds = 4;

struct Outcome {
  int code = -1;
  double seconds = 0;
  std::string output;
};

Outcome run(const std::string& what, int culprit, const std::string& more = "") {
  const auto start = std::chrono::steady_clock::now();
  const std::string command = std::string(TRIREME_MPIEXEC) + " -n 3 " + more + " " + TRIREME_HANG_PROGRAM + " " + what +
                              " " + std::to_string(culprit) + " " + std::to_string(kSeconds) + " 2>&1";
  Outcome outcome;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return outcome;
  std::array<char, 4096> buffer;
  while (std::fgets(buffer.data(), buffer.size(), pipe) != nullptr) outcome.output += buffer.data();
  const int status = ::pclose(pipe);
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return outcome;
}

std::size_t occurrences(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

void expect_verdict(const Outcome& outcome, const std::string& headline) {
  EXPECT_EQ(outcome.code, 1) << outcome.output;
  EXPECT_EQ(occurrences(outcome.output, "watchdog: "), 1U) << outcome.output;
  EXPECT_EQ(occurrences(outcome.output, "watchdog: " + headline), 1U) << outcome.output;
  for (const char* rank : {"\n  rank 0 on ", "\n  rank 1 on ", "\n  rank 2 on "}) {
    EXPECT_EQ(occurrences(outcome.output, rank), 1U) << outcome.output;
  }
  EXPECT_LT(outcome.seconds, 25) << outcome.output;
}

TEST(Watchdog, IsSilentInAGoodJob) {
  const auto outcome = run("nothing", 0);
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  EXPECT_EQ(outcome.output, "");
}

TEST(Watchdog, NamesAStoppedRankAndWhatTheOthersWaitIn) {
  const auto outcome = run("stop", 2);
  expect_verdict(outcome, "rank 2 on ");
  EXPECT_EQ(occurrences(outcome.output, "has not answered for "), 1U) << outcome.output;
  EXPECT_EQ(occurrences(outcome.output, "; the others wait in all_reduce #10 of the world group\n"), 1U)
      << outcome.output;
  EXPECT_EQ(occurrences(outcome.output, "step 9, training, in all_reduce #10 "), 2U) << outcome.output;
  EXPECT_EQ(occurrences(outcome.output, "last all_reduce #9 of the world group"), 1U) << outcome.output;
}

TEST(Watchdog, LetsAnotherSpeakWhenRankZeroIsStopped) {
  const auto outcome = run("stop", 0);
  expect_verdict(outcome, "rank 0 on ");
  EXPECT_EQ(occurrences(outcome.output, "has not answered for "), 1U) << outcome.output;
}

TEST(Watchdog, SeesThatOthersWaitForAGroupToBeMade) {
  const auto outcome = run("regroup", 1);
  expect_verdict(outcome, "rank 1 on ");
  EXPECT_EQ(occurrences(outcome.output, "has not answered for "), 1U) << outcome.output;
  EXPECT_EQ(occurrences(outcome.output, "of the new part group"), 3U) << outcome.output;
}

TEST(Watchdog, EndsTheJobWhereTheLauncherIsSlowToKill) {
  // Open MPI then waits this long twice before it kills, though the ranks have ended by themselves.
  expect_verdict(run("stop", 1, "--mca odls_base_sigkill_timeout 6"), "rank 1 on ");
}

TEST(Watchdog, NamesARankThatIsStuckInItsData) {
  const auto outcome = run("data", 1);
  expect_verdict(outcome, "rank 1 on ");
  EXPECT_EQ(occurrences(outcome.output, "has been in data for "), 1U) << outcome.output;
}

TEST(Watchdog, ShowsRanksThatWaitForOneAnother) {
  const auto outcome = run("other", 1);
  expect_verdict(outcome, "all ranks have waited for one another for ");
  EXPECT_EQ(occurrences(outcome.output, ", in all_reduce #10 of the world group and barrier #"), 1U) << outcome.output;
}

TEST(Watchdog, NamesARankThatStopsAtTheEnd) {
  const auto outcome = run("end", 2);
  expect_verdict(outcome, "rank 2 on ");
  EXPECT_EQ(occurrences(outcome.output, "the others wait in barrier #1 of the end group"), 1U) << outcome.output;
}

TEST(Watchdog, KnowsOfCollectivesThatADeviceTellsOf) {
  const auto outcome = run("device", 2);
  expect_verdict(outcome, "rank 2 on ");
  EXPECT_EQ(occurrences(outcome.output, "; the others wait in all_gather #7 of the shard group\n"), 1U)
      << outcome.output;
  EXPECT_EQ(
      occurrences(outcome.output, ", in all_gather #7 of the shard group (3 ranks from rank 0), 4096 bytes, for "), 2U)
      << outcome.output;
}

TEST(Watchdog, TellsWhatALibraryHasMet) {
  const auto outcome = run("library", 1);
  EXPECT_EQ(outcome.code, 1) << outcome.output;
  EXPECT_EQ(occurrences(outcome.output, "watchdog: "), 1U) << outcome.output;
  EXPECT_EQ(occurrences(outcome.output, ": the link of this rank is gone; step 9\n"), 1U) << outcome.output;
  EXPECT_LT(outcome.seconds, kSeconds + 5) << "told at once, not after the wait of others";
}

TEST(Watchdog, SparesASlowRankThatShowsProgress) {
  const auto outcome = run("slow", 1);  // three times as long as the watchdog's patience
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  EXPECT_EQ(outcome.output, "");
}

TEST(Watchdog, OfAPartNamesItsRanksByTheirNumbersInTheWhole) {
  const auto outcome = run("part", 2);
  EXPECT_EQ(outcome.code, 1) << outcome.output;
  EXPECT_EQ(occurrences(outcome.output, "watchdog: rank 2 on "), 1U) << outcome.output;
  EXPECT_EQ(occurrences(outcome.output, "; rank 1 waits in all_reduce #10 of the part group\n"), 1U) << outcome.output;
  EXPECT_EQ(occurrences(outcome.output, "\n  rank 0 on "), 0U) << outcome.output;
  EXPECT_LT(outcome.seconds, 25) << outcome.output;
}

TEST(Watchdog, OfOnePartAfterTheOtherHasNothingLeftOfTheFirst) {
  const auto outcome = run("parts", 2);
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  EXPECT_EQ(outcome.output, "");
}

TEST(Death, OfOneRankEndsTheJob) {
  const auto outcome = run("die", 1);
  EXPECT_NE(outcome.code, 0) << outcome.output;
  EXPECT_GE(occurrences(outcome.output, "rank 1 "), 1U) << outcome.output;
  EXPECT_LT(outcome.seconds, 25);
}

TEST(Failure, OfAnyThreadOfOneRankEndsTheJobWithOneMessage) {
  for (const auto& [what, message] :
       {std::pair{"throw", "the disk of this rank is gone"}, std::pair{"stream", "the device of this rank is gone"},
        std::pair{"worker", "the loader of this rank is gone"}}) {
    const auto outcome = run(what, 1);
    EXPECT_EQ(outcome.code, 1) << outcome.output;
    EXPECT_EQ(occurrences(outcome.output, "rank 1 of 3 on "), 1U) << outcome.output;
    EXPECT_EQ(occurrences(outcome.output, message), 1U) << outcome.output;
    EXPECT_EQ(occurrences(outcome.output, "watchdog"), 0U) << outcome.output;
  }
}

}  // namespace
