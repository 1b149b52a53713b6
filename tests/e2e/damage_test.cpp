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
  EXPECT_EQ(count(inspected.out, "checkpoint, bad"), 1U) << inspected.out;
  EXPECT_EQ(count(inspected.out, "checkpoint, good"), 3U) << "the others are read too\n" << inspected.out;
  const auto quick = alone({"inspect", "run"});
  EXPECT_EQ(quick.code, 0) << quick.err;
  EXPECT_EQ(count(quick.out, ", VERIFIED"), 4U) << quick.out;

  const auto exam = ranks(2, {"eval", "run", "--tasks", "mmlu", "--data", "world/exam"});
  EXPECT_EQ(exam.code, 1) << exam.err;
  EXPECT_EQ(count(exam.err, "step-00000020/shard-00001-of-00002.h5"), 1U) << exam.err;
  EXPECT_EQ(count(exam.err, "The newest older checkpoint that is complete is --step 15"), 1U) << exam.err;

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

// A disk of its own, of a few KiB.
class SmallDisk {
 public:
  SmallDisk(std::string folder, const std::string& size) : folder_(std::move(folder)) {
    fs::create_directories(folder_);
    mounted_ = mount("tmpfs", folder_.c_str(), "tmpfs", 0, ("size=" + size).c_str()) == 0;
  }
  void resize(const std::string& size) { change(0, size); }
  void refuse_writes(const std::string& size) { change(MS_RDONLY, size); }
  ~SmallDisk() {
    if (mounted_) umount2(folder_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool mounted() const { return mounted_; }

 private:
  void change(unsigned long how, const std::string& size) {
    ASSERT_EQ(mount("tmpfs", folder_.c_str(), "tmpfs", MS_REMOUNT | how, ("size=" + size).c_str()), 0);
  }

  std::string folder_;
  bool mounted_ = false;
};

TEST_F(Damage, ADiskTooSmallForCheckpointsIsToldBeforeTheFirstStep) {
  const SmallDisk disk(path("tiny"), "600k");
  if (!disk.mounted()) GTEST_SKIP() << "mounting a small disk needs root";
  const auto outcome = ranks(2, train_command("tiny"));
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_EQ(count(outcome.err, "tiny/checkpoints has no room for this run's checkpoints: "), 1U) << outcome.err;
  EXPECT_TRUE(has(outcome.err, "choose a run.dir on another file system")) << outcome.err;
  EXPECT_TRUE(read_text(path("tiny/metrics.jsonl")).empty()) << "no step was made";
  for (const auto& entry : fs::directory_iterator(path("tiny/checkpoints"))) {
    ADD_FAILURE() << "left behind: " << entry.path();
  }
}

TEST_F(Damage, AFullDiskWhileSaving) {
  const SmallDisk disk(path("full"), "1500k");  // two checkpoints fit
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

// Whatever a disk does to `trireme data`: one line, in plain words.
void expect_one_line(const Outcome& outcome, const std::string& file, const std::string& reason) {
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(count(outcome.err, "trireme: "), 1U) << outcome.err;
  EXPECT_EQ(outcome.err.find('\n', outcome.err.find("trireme: ")), outcome.err.size() - 1) << outcome.err;
  for (const auto& part : {file, reason}) EXPECT_TRUE(has(outcome.err, part)) << part << " in:\n" << outcome.err;
  for (const auto& raw : {"HDF5", "filesystem error", "errno"}) EXPECT_FALSE(has(outcome.err, raw)) << outcome.err;
}

TEST_F(Damage, AFullDiskWhileMakingShards) {
  SmallDisk disk(path("small"), "8k");
  if (!disk.mounted()) GTEST_SKIP() << "mounting a small disk needs root";
  const std::string full = "No space left on device; free some space there, or choose another folder";
  // The name of the job in .lock takes a page; in what is left not even the description of the first shard fits.
  const auto none = alone(data_command("small/shards"));
  expect_one_line(none, "small/shards/.stage/", full);
  EXPECT_TRUE(has(none.err, "bytes of arrays to be written")) << none.err;
  // One shard fits, and the next one in part.
  disk.resize("100k");
  const auto some = alone(data_command("small/shards"));
  expect_one_line(some, "small/shards/.stage/", full);
  EXPECT_TRUE(has(some.err, "bytes are free there")) << some.err;
  disk.refuse_writes("100k");
  expect_one_line(alone(data_command("small/shards")), "small/shards/", "Read-only file system; choose a place that");
  // With room again the same command takes over what was finished, and ends with the bytes of a run without trouble.
  disk.resize("10m");
  auto words = data_command("small/shards");
  words.emplace_back("--json");
  const auto again = only_json(alone(words));
  ASSERT_FALSE(again.empty());
  EXPECT_GE(again.at("units_reused"), 1);
  for (const auto& entry : fs::directory_iterator(path("shards"))) {
    const auto name = entry.path().filename().string();
    if (entry.path().extension() != ".h5") continue;
    EXPECT_EQ(read_text(path("small/shards/" + name)), read_text(entry.path())) << name;
  }
}

TEST_F(Damage, AFileWhereAFolderIsWanted) {
  write_text(path("file"), "");
  expect_one_line(alone(data_command("file/shards")), "file/shards", "Not a directory; a file stands where a folder");
}

}  // namespace
}  // namespace trireme::e2e
