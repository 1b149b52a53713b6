// SPDX-License-Identifier: Apache-2.0
#include "core/train/checkpoint_probe.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>

#include "core/io/folder_lock.h"
#include "tests/core/io/expect_error.h"
#include "tests/core/io/temporary_directory.h"
#include "tests/core/train/saved_steps.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;
using trireme::testing::expect_error;
using trireme::testing::TemporaryDirectory;

TEST(CheckpointProbe, LeavesNothingBehind) {
  const TemporaryDirectory folder;
  run_thread_ranks(3, [&](Group& group) { probe_root({.root = folder / "", .checkpoint_bytes = 1000}, group); });
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(CheckpointProbe, AsksForTwoCheckpointsAndATenthOrOneBesideOneThatIsThere) {
  EXPECT_EQ(room_needed(1000, false), 2200U);
  EXPECT_EQ(room_needed(1000, true), 1100U);
  EXPECT_EQ(room_needed(~std::uint64_t{0}, true), ~std::uint64_t{0});
  const TemporaryDirectory folder;
  const auto probe = [&](std::uint64_t bytes) {
    run_thread_ranks(2, [&](Group& group) { probe_root({.root = folder / "", .checkpoint_bytes = bytes}, group); });
  };
  const std::uint64_t much = std::uint64_t{1} << 59U;  // no file system has that
  expect_error([&] { probe(much); }, {folder / "", "no room", std::to_string(much / 10 * 22).substr(0, 8),
                                      "must be free", "2.2 such are needed", "choose a run.dir"});
  fs::create_directory(folder / "step-00000001");
  expect_error([&] { probe(much); }, {"1.1 such are needed beside those that are there"});
}

TEST(CheckpointProbe, NamesTheRankAndHostThatSeeAnotherFolder) {
  const TemporaryDirectory shared;
  const TemporaryDirectory other;
  std::atomic<int> told{0};
  run_thread_ranks(3, [&](Group& group) {
    const RootProbe probe{.root = group.rank() == 2 ? other / "" : shared / "",
                          .checkpoint_bytes = 1000,
                          .patience = std::chrono::milliseconds{300}};
    expect_error([&] { probe_root(probe, group); },
                 {"rank 2 of 3: host " + host_name() + " does not see in " + other / "", "on host " + host_name(),
                  "all ranks must see the same folder", "choose a run.dir"});
    ++told;
  });
  EXPECT_EQ(told, 3) << "the same on all ranks";
  EXPECT_TRUE(fs::is_empty(shared.path()));
}

TEST(CheckpointProbe, SaysWhatCannotBeWritten) {
  const TemporaryDirectory folder;
  const auto group = make_self_group("world");
  expect_error([&] { probe_root({.root = folder / "missing", .checkpoint_bytes = 1}, *group); }, {"missing"});
  std::ofstream(folder / "file") << "x";
  CheckpointMember member(*group, Lay::replicated);
  expect_error([&] { Checkpoints({.root = folder / "file/c"}, member.parts()); }, {"cannot make the folder"});
}

TEST(CheckpointProbe, WhatAKilledOneHasLeftIsRemoved) {
  const TemporaryDirectory folder;
  save_steps(folder / "c", {1});
  std::ofstream(folder / "c/.probe-0123") << "x";
  save_steps(folder / "c", {2});
  EXPECT_FALSE(fs::exists(folder / "c/.probe-0123"));
}

}  // namespace
}  // namespace trireme
