// SPDX-License-Identifier: Apache-2.0
// Gathers by copies of which one rank stops, dies or fails: the job ends within the watchdog's time and says whose
// fault it is. The program starts itself under mpirun as such a job, whose ranks may share one GPU: gather_trouble
// --job WHAT SECONDS, WHAT: nothing, stop (SIGSTOP), die (SIGKILL), throw or late (it comes no more, but lives).
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>

#include "core/base/error.h"
#include "core/base/status_board.h"
#include "parallel/parallel.h"
#include "tests/kernels/test_device.h"

namespace trireme {
namespace {

constexpr double kSeconds = 4;       // of the watchdog
constexpr double kStartAndEnd = 25;  // what mpirun, CUDA's start and the others' end may add
constexpr int kRounds = 300;
constexpr int kRoundOfTrouble = 200;
constexpr std::int64_t kPiece = 1 << 20;

void make_trouble(const std::string& what) {
  if (what == "stop") raise(SIGSTOP);
  if (what == "die") raise(SIGKILL);
  if (what == "late") std::this_thread::sleep_for(std::chrono::hours(1));
  if (what == "throw") fail("the disk of this rank is gone");
}

/// The last rank makes the trouble while the others' gathers are on their way.
void gather_for_ever(World& world, const std::string& what, double seconds) {
  const auto watchdog = make_watchdog(world, process_status(), seconds);
  const auto device = make_test_gpu(world.local_rank() % cuda_device_count());
  const auto group = world.split("shard", 0, world.rank(), *device, {.gather = GatherRoad::copy});
  const Buffer memory = device->allocate(static_cast<std::size_t>(kPiece * world.size()));
  const auto stream = device->make_stream("gather");
  const auto shared = group->share(memory);
  check(shared != nullptr, "no road for copies");
  const Tensor whole{memory.data(), Dtype::u8, {kPiece * world.size()}};
  process_status().enter(Phase::training);
  for (int round = 1; round <= kRounds; ++round) {
    if (round == kRoundOfTrouble && world.rank() == world.size() - 1) make_trouble(what);
    group->all_gather(*stream, whole, whole.rows(world.rank() * kPiece, kPiece));
    if (round % 10 == 0) stream->synchronize();
    process_status().at_step(round);
  }
}

struct Outcome {
  int code = -1;
  double seconds = 0;
  std::string output;
};

Outcome run(const std::string& what) {
  const char* given = std::getenv("TRIREME_TEST_MPIEXEC");
  const auto command = fmt::format("{} -n 2 {} --job {} {} 2>&1", given == nullptr ? TRIREME_MPIEXEC : given,
                                   std::filesystem::read_symlink("/proc/self/exe").string(), what, kSeconds);
  const auto start = std::chrono::steady_clock::now();
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

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

class GatherTrouble : public testing::Test {
 protected:
  void SetUp() override {
    if (!tests_on_cuda()) GTEST_SKIP() << "for GPUs: TRIREME_TEST_DEVICE=cuda";
  }
};

TEST_F(GatherTrouble, IsNotInAGoodJob) {
  const auto outcome = run("nothing");
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  EXPECT_EQ(outcome.output, "");
}

TEST_F(GatherTrouble, OfAStoppedRankIsToldWithWhatTheOtherWaitsIn) {
  const auto outcome = run("stop");
  EXPECT_EQ(outcome.code, 1) << outcome.output;
  EXPECT_TRUE(has(outcome.output, "watchdog: rank 1 on ")) << outcome.output;
  EXPECT_TRUE(has(outcome.output, fmt::format("in all_gather #{} of the shard group", kRoundOfTrouble)))
      << outcome.output;
  EXPECT_LT(outcome.seconds, kSeconds + kStartAndEnd) << outcome.output;
}

TEST_F(GatherTrouble, OfARankThatComesNoMoreIsTold) {
  const auto outcome = run("late");
  EXPECT_EQ(outcome.code, 1) << outcome.output;
  EXPECT_TRUE(has(outcome.output, "watchdog: rank 1 on ")) << outcome.output;
  EXPECT_LT(outcome.seconds, kSeconds + kStartAndEnd) << outcome.output;
}

TEST_F(GatherTrouble, OfAKilledRankEndsTheJob) {
  const auto outcome = run("die");
  EXPECT_NE(outcome.code, 0) << outcome.output;
  EXPECT_TRUE(has(outcome.output, "rank 1 ")) << outcome.output;
  EXPECT_LT(outcome.seconds, kSeconds + kStartAndEnd) << outcome.output;
}

TEST_F(GatherTrouble, OfARankThatFailsIsToldInOneLine) {
  const auto outcome = run("throw");
  EXPECT_EQ(outcome.code, 1) << outcome.output;
  EXPECT_TRUE(has(outcome.output, "rank 1 of 2 on ")) << outcome.output;
  EXPECT_TRUE(has(outcome.output, "the disk of this rank is gone")) << outcome.output;
  EXPECT_LT(outcome.seconds, kSeconds + kStartAndEnd) << outcome.output;
}

}  // namespace
}  // namespace trireme

int main(int argc, char** argv) {
  using namespace trireme;
  if (argc < 2 || std::string(argv[1]) != "--job") {
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
  }
  const auto world = World::connect(&argc, &argv);
  try {
    check_usage(argc == 4, "gather_trouble --job WHAT SECONDS");
    gather_for_ever(*world, argv[2], std::stod(argv[3]));
    return 0;
  } catch (const std::exception& e) {
    world->abort(e.what(), 1);
  }
}
