// SPDX-License-Identifier: Apache-2.0
// Memory that ranks of a node share, and the words in it by which gathers are kept in order. Alone, then under mpirun.
#include "parallel/gather_words.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <set>
#include <thread>

#include "core/base/error.h"
#include "tests/parallel/mpi_main.h"

namespace trireme {
namespace {

/// In the group of all processes, and of three threads.
void each(const std::function<void(Group&)>& body) {
  body(test_world().group());
  if (test_world().size() == 1) run_thread_ranks(3, body);
}

TEST(NodeMemory, IsSeenByAll) {
  each([](Group& group) {
    constexpr std::size_t kBytes = 5000;
    std::string problem = "not asked";
    const auto memory = NodeMemory::open(group, kBytes, problem);
    ASSERT_NE(memory, nullptr) << problem;
    EXPECT_EQ(problem, "");
    EXPECT_EQ(memory->bytes(), kBytes);
    for (std::size_t i = 0; i < kBytes; ++i) ASSERT_EQ(memory->data()[i], std::byte{0});
    group.barrier();
    memory->data()[kBytes - 1 - static_cast<std::size_t>(group.rank())] = std::byte(group.rank() + 1);
    group.barrier();
    for (int r = 0; r < group.size(); ++r) {
      EXPECT_EQ(memory->data()[kBytes - 1 - static_cast<std::size_t>(r)], std::byte(r + 1));
    }
    group.barrier();
  });
}

TEST(NodeMemory, LeavesNoFileBehind) {
  const auto count = [] {
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/dev/shm")) {
      files += entry.path().filename().string().starts_with(fmt::format("trireme-{}-", ::getpid())) ? 1U : 0U;
    }
    return files;
  };
  std::string problem;
  const auto memory = NodeMemory::open(test_world().group(), 4096, problem);
  ASSERT_NE(memory, nullptr) << problem;
  test_world().group().barrier();
  EXPECT_EQ(count(), 0U);
  test_world().group().barrier();
}

TEST(NodeMemory, ThatCannotBeHadIsSaidAlikeOnAllRanks) {
  each([](Group& group) {
    constexpr std::size_t kFarTooMuch = std::size_t{1} << 52U;
    std::string problem;
    EXPECT_EQ(NodeMemory::open(group, kFarTooMuch, problem), nullptr);
    EXPECT_TRUE(problem.starts_with("rank 0 of the group cannot take 4503599627370496 bytes")) << problem;
    for (const auto& other : group.host_gather(problem)) EXPECT_EQ(other, problem);
  });
}

std::shared_ptr<GatherWords> words_of(Group& group) {
  std::string problem;
  auto memory = NodeMemory::open(group, GatherWords::bytes_for(group.size()), problem);
  check(memory != nullptr, "{}", problem);
  return std::make_shared<GatherWords>(std::move(memory), group.rank(), group.size());
}

std::uint32_t& word(const GatherWords& words, std::size_t lane, GatherSign sign, int reader, int writer) {
  return *reinterpret_cast<std::uint32_t*>(words.memory().data() + words.offset(lane, sign, reader, writer));
}

TEST(GatherWords, HaveAPlaceEach) {
  each([](Group& group) {
    const auto words = words_of(group);
    std::set<std::size_t> places;
    for (std::size_t lane = 0; lane < GatherWords::kLanes; ++lane) {
      for (const auto sign : {GatherSign::free, GatherSign::sent}) {
        for (int reader = 0; reader < group.size(); ++reader) {
          for (int writer = 0; writer < group.size(); ++writer) {
            const auto place = words->offset(lane, sign, reader, writer);
            EXPECT_EQ(place % sizeof(std::uint32_t), 0U);
            EXPECT_LE(place + sizeof(std::uint32_t), words->memory().bytes());
            EXPECT_TRUE(places.insert(place).second);
          }
        }
      }
    }
    EXPECT_EQ(words->next(3), 1U);
    EXPECT_EQ(words->next(3), 2U);
    EXPECT_EQ(words->next(4), 1U) << "each lane counts for itself";
    group.barrier();
  });
}

/// As the GPU compares.
bool has_come_to(std::uint32_t value, std::uint32_t least) { return static_cast<std::int32_t>(value - least) >= 0; }

TEST(GatherWords, ReleasedOnesLetEverythingPassAndLeaveOthersAlone) {
  each([](Group& group) {
    if (group.size() == 1) return;
    const auto words = words_of(group);
    constexpr std::size_t kLane = 1;
    constexpr std::uint32_t kGathers = 7;
    for (std::uint32_t i = 0; i < kGathers; ++i) words->next(kLane);
    group.barrier();
    if (group.rank() == 0) words->release();
    group.barrier();
    const auto at = [&](int reader, int writer) {
      return std::atomic_ref(word(*words, kLane, GatherSign::sent, reader, writer)).load();
    };
    EXPECT_EQ(words->released(), group.rank() == 0);
    for (int writer = 0; writer < group.size(); ++writer) {
      EXPECT_TRUE(has_come_to(at(0, writer), kGathers));
      EXPECT_TRUE(has_come_to(at(0, writer), kGathers + 1000)) << "gathers that are still enqueued pass, too";
      EXPECT_EQ(at(1, writer), 0U) << "what other ranks wait for";
    }
    group.barrier();
    // A rank that knows nothing of it goes on writing its words.
    if (group.rank() == 1) std::atomic_ref(word(*words, kLane, GatherSign::sent, 0, 1)).store(3);
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!has_come_to(at(0, 1), kGathers) && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_TRUE(has_come_to(at(0, 1), kGathers)) << "released for good";
    group.barrier();
  });
}

}  // namespace
}  // namespace trireme
