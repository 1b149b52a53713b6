// SPDX-License-Identifier: Apache-2.0
// Checkpoints by processes: all ranks write, then each half of them and each rank alone reads.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/core/train/checkpoint_member.h"
#include "tests/parallel/mpi_main.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

/// A folder that all ranks see, removed at the end; in memory where there is one: syncing is for other tests.
class SharedFolder {
 public:
  explicit SharedFolder(Group& world) : world_(world) {
    if (world.rank() == 0) {
      const fs::path parent = fs::is_directory("/dev/shm") ? fs::path("/dev/shm") : fs::temp_directory_path();
      std::string pattern = (parent / "trireme-mpi-XXXXXX").string();
      path_ = ::mkdtemp(pattern.data()) != nullptr ? pattern : "";
    }
    world.host_broadcast(path_, 0);
  }
  SharedFolder(const SharedFolder&) = delete;
  SharedFolder& operator=(const SharedFolder&) = delete;
  ~SharedFolder() {
    std::error_code ignored;
    if (world_.rank() == 0) fs::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  Group& world_;
  std::string path_;
};

/// Whether every master that the member holds is what fill(salt) writes.
void expect_masters(CheckpointMember& member, std::uint64_t salt) {
  CheckpointMember want(member.group, Lay::columns);
  want.fill(salt);
  const auto got_slices = member.store->slices(SliceKind::held);
  const auto want_slices = want.store->slices(SliceKind::held);
  ASSERT_EQ(got_slices.size(), want_slices.size());
  for (std::size_t i = 0; i < got_slices.size(); ++i) {
    for (std::int64_t e = 0; e < got_slices[i].master.elements(); ++e) {
      ASSERT_EQ(std::bit_cast<std::uint32_t>(got_slices[i].master.as<float>()[e]),
                std::bit_cast<std::uint32_t>(want_slices[i].master.as<float>()[e]));
    }
  }
}

TEST(MpiCheckpoint, IsWrittenByAllAndReadByAll) {
  Group& world = test_world().group();
  const SharedFolder folder(world);
  for (const Lay from : {Lay::replicated, Lay::rows, Lay::columns}) {
    for (const Lay to : {Lay::replicated, Lay::rows, Lay::columns}) {
      const std::string root = folder.path() + "/" + std::to_string(static_cast<int>(from) * 3 + static_cast<int>(to));
      CheckpointMember writer(world, from);
      writer.fill(5);
      Checkpoints checkpoints({.root = root}, writer.parts());
      EXPECT_FALSE(checkpoints.load({}));
      const SaveResult result = checkpoints.save(state_at(5));
      ASSERT_TRUE(result.saved) << result.message;
      CheckpointMember reader(world, to);
      const auto state = Checkpoints({.root = root}, reader.parts()).load({});
      ASSERT_TRUE(state);
      EXPECT_EQ(*state, state_at(5));
      EXPECT_EQ(reader.wrong(5), 0);
    }
  }
}

TEST(MpiCheckpoint, IsReadBySmallerGroups) {
  World& world = test_world();
  const SharedFolder folder(world.group());
  CheckpointMember writer(world.group(), Lay::replicated);
  writer.fill(8);
  ASSERT_TRUE(Checkpoints({.root = folder.path()}, writer.parts()).save(state_at(8)).saved);
  for (std::int64_t size = 1; size <= world.size(); ++size) {
    if (world.size() % size != 0) continue;
    const auto group = world.split("part", world.rank() / size, world.rank(), *writer.device, {});
    CheckpointMember reader(*group, Lay::columns);
    EXPECT_EQ(load_weights(folder.path(), reader.parts()).train, state_at(8));
    expect_masters(reader, 8);
  }
  world.group().barrier();
}

TEST(MpiCheckpoint, FallsBackOnAllRanksTogether) {
  Group& world = test_world().group();
  const SharedFolder folder(world);
  CheckpointMember member(world, Lay::rows);
  Checkpoints checkpoints({.root = folder.path()}, member.parts());
  for (const std::int64_t step : {1, 2}) {
    member.fill(static_cast<std::uint64_t>(step));
    ASSERT_TRUE(checkpoints.save(state_at(step)).saved);
  }
  if (world.rank() == 0) {  // only the last rank needs these bytes
    const std::string last = fmt::format("shard-{:05}-of-{:05}.h5", world.size() - 1, world.size());
    fs::resize_file(folder.path() + "/step-00000002/" + last, 5000);
  }
  world.barrier();
  std::vector<std::string> notes;
  CheckpointMember reader(world, Lay::rows);
  const auto state =
      Checkpoints({.root = folder.path(), .note = [&](const std::string& n) { notes.push_back(n); }}, reader.parts())
          .load({});
  ASSERT_TRUE(state);
  EXPECT_EQ(state->step, 1);
  EXPECT_EQ(reader.wrong(1), 0);
  EXPECT_EQ(notes.size(), world.rank() == 0 ? 1U : 0U);
}

}  // namespace
}  // namespace trireme
