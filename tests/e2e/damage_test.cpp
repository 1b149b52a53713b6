// SPDX-License-Identifier: Apache-2.0
// What the world does to files: damaged shards, damaged checkpoints, a full disk. It is told, and nothing is lost.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include "tests/e2e/tiny_world.h"

namespace trireme::e2e {
namespace {

namespace fs = std::filesystem;

using Damage = TinyWorld;

void damage_checkpoint(const std::string& run, std::int64_t step) {
  const auto file = checkpoint_of(run, step) + "/shard-00001-of-00002.h5";
  damage(file, fs::file_size(file) / 2);
}

TEST_F(Damage, AShard) {
  fs::copy(path("shards"), path("damaged"));
  const auto description = only_json(alone({"inspect", "damaged/shard-000000.h5", "--verify", "--json"}));
  ASSERT_FALSE(description.empty());
  // The tokens are most of the file: its middle is among them.
  damage(path("damaged/shard-000000.h5"), fs::file_size(path("damaged/shard-000000.h5")) / 2);
  for (const auto& what : {"damaged", "damaged/shard-000000.h5"}) {
    const auto outcome = alone({"inspect", what, "--verify"});
    EXPECT_EQ(outcome.code, 1);
    EXPECT_TRUE(has(outcome.err, "damaged/shard-000000.h5: block ")) << outcome.err;
    EXPECT_TRUE(has(outcome.err, "of /tokens (bytes ")) << outcome.err;
  }
  // Training reads samples from everywhere: it meets the block within an epoch.
  const auto outcome = ranks(2, train_command("on_damaged", {"--set", "data.shards=[damaged]", "--set",
                                                             "train.steps=500", "--set", "eval.every=0"}));
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_EQ(count(outcome.err, "damaged/shard-000000.h5: block "), 1U) << outcome.err;
}

TEST_F(Damage, TheNewestCheckpoint) {
  ASSERT_EQ(ranks(2, train_command("run")).code, 0);
  const auto lines = lines_without_times(path("run"));
  const auto digests = digests_of(path("run"), 20);
  damage_checkpoint(path("run"), 20);

  const auto inspected = alone({"inspect", "run", "--verify"});
  EXPECT_EQ(inspected.code, 1);
  EXPECT_TRUE(has(inspected.err, "step-00000020/shard-00001-of-00002.h5")) << inspected.err;

  const auto strict = ranks(2, train_command("run", {"--resume", "strict"}));
  EXPECT_EQ(strict.code, 1) << strict.err;
  EXPECT_TRUE(has(strict.err, "step 20 does not load")) << strict.err;
  EXPECT_TRUE(fs::exists(checkpoint_of(path("run"), 20))) << "strict moves nothing";

  const auto outcome = ranks(2, train_command("run"));
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(count(outcome.err, "step 20 does not load and is now run/checkpoints/quarantine/"), 1U) << outcome.err;
  EXPECT_EQ(count(outcome.err, "resumed after step 15 of 20"), 1U) << outcome.err;
  EXPECT_EQ(lines_without_times(path("run")), lines);
  EXPECT_EQ(digests_of(path("run"), 20), digests);
}

TEST_F(Damage, EveryCheckpoint) {
  ASSERT_EQ(ranks(2, train_command("lost")).code, 0);
  const auto lines = lines_without_times(path("lost"));
  for (const int step : {5, 10, 15, 20}) damage_checkpoint(path("lost"), step);
  for (int time = 0; time < 2; ++time) {  // nor when tried again: the folder then holds no checkpoint
    const auto outcome = ranks(2, train_command("lost"));
    EXPECT_EQ(outcome.code, 1) << outcome.err;
    EXPECT_TRUE(has(outcome.err, "nothing in lost/checkpoints loads")) << outcome.err;
    EXPECT_EQ(lines_without_times(path("lost")), lines) << "the log of what was lost stays";
  }
}

// A disk of 1.5 MiB: two checkpoints fit.
class SmallDisk {
 public:
  explicit SmallDisk(std::string folder) : folder_(std::move(folder)) {
    fs::create_directories(folder_);
    mounted_ = mount("tmpfs", folder_.c_str(), "tmpfs", 0, "size=1500k") == 0;
  }
  ~SmallDisk() {
    if (mounted_) umount2(folder_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool mounted() const { return mounted_; }

 private:
  std::string folder_;
  bool mounted_ = false;
};

TEST_F(Damage, AFullDiskWhileSaving) {
  const SmallDisk disk(path("full"));
  if (!disk.mounted()) GTEST_SKIP() << "mounting a small disk needs root";
  const auto outcome = ranks(2, train_command("full"));
  EXPECT_EQ(outcome.code, 1) << "the last step is lost: not a success";
  EXPECT_EQ(count(outcome.err, "the run ends here, and step 20 could not be saved"), 1U) << outcome.err;
  EXPECT_EQ(count(outcome.err, "checkpoint not saved: step 15 is not saved"), 1U) << outcome.err;
  EXPECT_TRUE(has(outcome.err, "No space left on device")) << outcome.err;
  EXPECT_TRUE(has(outcome.err, "step 20/20")) << "training goes on\n" << outcome.err;
  EXPECT_TRUE(fs::exists(checkpoint_of(path("full"), 10) + "/MANIFEST.json"));
  EXPECT_EQ(alone({"inspect", "full", "--verify"}).code, 0);
  for (const auto& entry : fs::directory_iterator(path("full/checkpoints"))) {
    EXPECT_FALSE(entry.path().filename().string().starts_with(".stage")) << "what failed is removed";
  }

  // With room again the command goes on, to the same end as a run that never met a full disk.
  fs::remove_all(checkpoint_of(path("full"), 5));
  const auto again = ranks(2, train_command("full", {"--set", "checkpoint.keep=1"}));
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_TRUE(has(again.err, "resumed after step 10 of 20")) << again.err;
  ASSERT_EQ(ranks(2, train_command("roomy")).code, 0);
  EXPECT_EQ(lines_without_times(path("full")), lines_without_times(path("roomy")));
}

}  // namespace
}  // namespace trireme::e2e
