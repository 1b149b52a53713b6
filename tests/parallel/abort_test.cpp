// SPDX-License-Identifier: Apache-2.0
// How a job ends when ranks fail: one line that says who and why, and the exit code.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <string>

namespace {

struct Outcome {
  int code = -1;
  std::string output;
};

Outcome run(const std::string& how) {
  const std::string command = std::string(TRIREME_MPIEXEC) + " -n 3 " + TRIREME_ABORT_PROGRAM + " " + how + " 2>&1";
  Outcome outcome;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return outcome;
  std::array<char, 4096> buffer;
  while (std::fgets(buffer.data(), buffer.size(), pipe) != nullptr) outcome.output += buffer.data();
  const int status = ::pclose(pipe);
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

std::size_t occurrences(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(Abort, EndsAllRanksWhenOneFails) {
  const Outcome outcome = run("one");
  EXPECT_EQ(outcome.code, 1) << outcome.output;
  EXPECT_EQ(occurrences(outcome.output, "rank 1 of 3 on "), 1U) << outcome.output;
  EXPECT_EQ(occurrences(outcome.output, "the disk of this rank is gone"), 1U) << outcome.output;
}

TEST(Abort, IsSaidOnceWhenAllRanksFailAlike) {
  for (const char* how : {"all", "stubborn"}) {
    const Outcome outcome = run(how);
    EXPECT_EQ(outcome.code, 2) << outcome.output;
    EXPECT_EQ(occurrences(outcome.output, "nobody can go on"), 1U) << outcome.output;
    EXPECT_EQ(occurrences(outcome.output, "rank 0 of 3 on "), 1U) << outcome.output;
  }
}

TEST(Abort, IsNotHowAGoodJobEnds) {
  const Outcome outcome = run("quiet");
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  EXPECT_EQ(outcome.output, "");
}

}  // namespace
