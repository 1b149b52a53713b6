// SPDX-License-Identifier: Apache-2.0
// What a save asks of the disk again, what retention counts, and what is said when only older checkpoints are whole.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/train/checkpoint_folder.h"
#include "tests/core/io/expect_error.h"
#include "tests/core/io/temporary_directory.h"
#include "tests/core/train/saved_steps.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;
using trireme::testing::expect_error;
using trireme::testing::TemporaryDirectory;

using Damage = void (*)(const std::string& step);
const std::pair<const char*, Damage> kDamages[] = {
    {"a flipped bit of rank 0", [](const std::string& s) { flip_bit(s + "/shard-00000-of-00002.h5", 9000); }},
    {"a flipped bit of rank 1", [](const std::string& s) { flip_bit(s + "/shard-00001-of-00002.h5", 9000); }},
    {"a cut file", [](const std::string& s) { fs::resize_file(s + "/shard-00001-of-00002.h5", 7777); }},
    {"a missing file", [](const std::string& s) { fs::remove(s + "/shard-00001-of-00002.h5"); }},
    {"a flipped bit of the manifest", [](const std::string& s) { flip_bit(s + "/MANIFEST.json", 300); }},
};

TEST(CheckpointReadBack, FindsDamageBetweenCommitAndReadBackAndTheRunGoesOn) {
  for (const auto& [what, damage] : kDamages) {
    const TemporaryDirectory folder;
    run_thread_ranks(2, [&, d = damage, w = what](Group& group) {
      bool spoil = false;
      CheckpointMember member(group, Lay::replicated);
      CheckpointOptions options{.root = folder / "c", .keep = 1};
      options.committed = [&](const std::string& path) {
        if (spoil) d(path);
      };
      Checkpoints checkpoints(options, member.parts());
      member.fill(10);
      EXPECT_TRUE(checkpoints.save(state_at(10)).saved);
      spoil = true;
      member.fill(20);
      const SaveResult result = checkpoints.save(state_at(20));
      EXPECT_FALSE(result.saved) << w;
      for (const char* part : {"step 20 is not saved: read back after it was written, it is damaged: rank ",
                               "it is now ", "quarantine/step-00000020.bad.a0001"}) {
        EXPECT_NE(result.message.find(part), std::string::npos) << w << ": " << result.message;
      }
      EXPECT_EQ(steps_in(folder / "c"), std::vector<std::int64_t>{10}) << "the only verified one stays: " << w;
      if (group.rank() == 0) {
        EXPECT_EQ(read_file(folder / "c/LATEST", 100), "step-00000010") << w;
      }
      group.barrier();
      spoil = false;
      EXPECT_TRUE(checkpoints.save(state_at(20)).saved) << w;
      EXPECT_EQ(member.wrong(20), 0);
    });
    EXPECT_EQ(steps_in(folder / "c"), std::vector<std::int64_t>{20});
    EXPECT_TRUE(is_verified(folder / "c/step-00000020"));
    EXPECT_TRUE(fs::exists(folder / "c/quarantine/step-00000020.bad.a0001"));
  }
}

TEST(CheckpointReadBack, MarksWhatItHasRead) {
  const TemporaryDirectory folder;
  save_steps(folder / "c", {1, 2}, 3, Lay::rows);
  const std::string one = folder / "c/step-00000001";
  const std::string two = folder / "c/step-00000002";
  EXPECT_TRUE(is_verified(one) && is_verified(two));
  fs::copy_file(one + "/VERIFIED", two + "/VERIFIED", fs::copy_options::overwrite_existing);
  EXPECT_FALSE(is_verified(two)) << "the mark is of another manifest";
  fs::remove(one + "/MANIFEST.json");
  EXPECT_FALSE(is_verified(one)) << "nothing is marked";
  for (const char* text : {"", "{}", "yes\n"}) {
    std::ofstream(two + "/VERIFIED") << text;
    EXPECT_FALSE(is_verified(two)) << text;
  }
}

TEST(CheckpointRetention, CountsVerifiedOnesAlone) {
  const TemporaryDirectory folder;
  const std::string root = folder / "c";
  save_steps(root, {10, 20, 30, 40, 50});
  for (const char* step : {"50", "40", "20"}) fs::remove(root + "/step-000000" + step + "/VERIFIED");
  remove_old(root, 3);
  EXPECT_EQ(steps_in(root), (std::vector<std::int64_t>{50, 40, 30, 20, 10}));
  remove_old(root, 2);
  EXPECT_EQ(steps_in(root), (std::vector<std::int64_t>{50, 40, 30, 20, 10})) << "10 is the second verified one";
  remove_old(root, 1);
  EXPECT_EQ(steps_in(root), (std::vector<std::int64_t>{50, 40, 30})) << "the only verified one, and what is newer";
  remove_old(root, 1);
  EXPECT_EQ(steps_in(root).size(), 3U);
}

TEST(CheckpointRetention, WhatARunResumesFromCountsFromThenOn) {
  const TemporaryDirectory folder;
  const std::string root = folder / "c";
  save_steps(root, {10, 20}, 2);
  for (const char* step : {"10", "20"}) fs::remove(root + "/step-000000" + step + "/VERIFIED");
  save_steps(root, {30}, 3, Lay::replicated, 2);  // loads 20 first
  EXPECT_EQ(steps_in(root), (std::vector<std::int64_t>{30, 20}));
  EXPECT_TRUE(is_verified(root + "/step-00000020"));
}

/// What loading the weights of `path` says on two ranks.
void expect_advice(const std::string& path, const std::vector<std::string>& parts) {
  expect_error(
      [&] {
        run_thread_ranks(2, [&](Group& group) {
          CheckpointMember member(group, Lay::replicated);
          load_weights(path, member.parts());
        });
      },
      parts);
}

TEST(CheckpointWeights, OfADamagedCheckpointNameTheNewestOlderOneThatIsWhole) {
  const TemporaryDirectory folder;
  const std::string root = folder / "run/checkpoints";
  save_steps(root, {10, 20, 30, 40}, 3);
  flip_bit(root + "/step-00000040/shard-00002-of-00003.h5", 5000);
  fs::remove(root + "/step-00000030/shard-00001-of-00003.h5");
  expect_advice(folder / "run", {"step-00000040/shard-00002-of-00003.h5", "complete is --step 20"});
  expect_advice(root + "/step-00000040/", {"complete is --step 20"});
  flip_bit(root + "/step-00000020/shard-00000-of-00003.h5", 5000);
  fs::remove(root + "/step-00000040/MANIFEST.json");
  expect_advice(folder / "run", {"step-00000040/MANIFEST.json", "complete is --step 10"});
  expect_advice(root + "/step-00000020", {"complete is --step 10"});
  flip_bit(root + "/step-00000010/MANIFEST.json", 300);
  expect_advice(folder / "run", {"no older checkpoint that is complete"});
  expect_advice(root + "/step-00000010", {"MANIFEST.json", "no older checkpoint that is complete"});
}

TEST(CheckpointFolder, TellsWhatIsNoCheckpoint) {
  const TemporaryDirectory folder;
  const std::string root = folder / "c";
  save_steps(root, {10, 20, 30});
  EXPECT_TRUE(list_incomplete(root).empty());
  fs::remove(root + "/step-00000020/MANIFEST.json");
  fs::create_directory(root + "/step-00000040");
  const std::string stage = make_stage(root, 50, 1, 1);
  EXPECT_EQ(list_incomplete(root), (std::vector<std::string>{root + "/step-00000040", root + "/step-00000020", stage}));
}

}  // namespace
}  // namespace trireme
