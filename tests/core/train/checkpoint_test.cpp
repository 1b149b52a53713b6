// SPDX-License-Identifier: Apache-2.0
#include "core/train/checkpoint.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "core/io/atomic_file.h"
#include "core/io/hdf5.h"
#include "core/train/checkpoint_manifest.h"
#include "tests/core/io/expect_error.h"
#include "tests/core/io/temporary_directory.h"
#include "tests/core/train/checkpoint_member.h"
#include "tests/core/train/saved_steps.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;
using trireme::testing::expect_error;
using trireme::testing::TemporaryDirectory;

// Hundreds of checkpoints in memory: syncing them to a disk is what the crash tests do.
const bool kInMemory = fs::is_directory("/dev/shm") && ::setenv("TMPDIR", "/dev/shm", 0) == 0;

struct Loaded {
  std::optional<TrainState> state;
  std::vector<std::string> notes;
};

/// Loads on `ranks` ranks and holds every element against the salt of the step.
Loaded load(const std::string& root, const ResumePolicy& policy = {}, int ranks = 1, Lay lay = Lay::replicated) {
  Loaded loaded;
  run_thread_ranks(ranks, [&](Group& group) {
    CheckpointMember member(group, lay);
    const auto note = [&](const std::string& line) { loaded.notes.push_back(line); };
    Checkpoints checkpoints({.root = root, .keep = 10, .config_hash = "c", .note = note}, member.parts());
    const auto state = checkpoints.load(policy);
    if (state) {
      EXPECT_EQ(member.wrong(static_cast<std::uint64_t>(state->step)), 0)
          << "not what step " << state->step << " saved";
      EXPECT_EQ(*state, state_at(state->step));
    }
    if (group.rank() == 0) loaded.state = state;
  });
  return loaded;
}

std::string shard(const std::string& root, const std::string& step,
                  const std::string& name = "shard-00000-of-00001.h5") {
  return root + "/step-" + step + "/" + name;
}

TEST(Checkpoint, IsReadByAnyNumberOfRanksInAnyLayout) {
  for (const Lay from : {Lay::replicated, Lay::rows, Lay::columns}) {
    for (int writers = 1; writers <= 4; ++writers) {
      const TemporaryDirectory folder;
      save_steps(folder / "c", {7}, writers, from);
      EXPECT_EQ(verify_checkpoint(folder / "c/step-00000007").world, writers);
      for (const Lay to : {Lay::replicated, Lay::rows, Lay::columns}) {
        for (int readers = 1; readers <= 4; ++readers) {
          const Loaded loaded = load(folder / "c", {}, readers, to);
          ASSERT_TRUE(loaded.state) << writers << " to " << readers;
          EXPECT_EQ(loaded.state->step, 7);
        }
      }
    }
  }
}

TEST(Checkpoint, SaysWhatItHolds) {
  const TemporaryDirectory folder;
  save_steps(folder / "c", {3, 12}, 2);
  const CheckpointSummary summary = inspect_checkpoint(folder / "c/step-00000012");
  EXPECT_EQ(summary.train, state_at(12));
  EXPECT_EQ(summary.world, 2);
  EXPECT_EQ(summary.attempt, 1);
  EXPECT_EQ(summary.config_hash, "c");
  EXPECT_EQ(summary.tensors, 5);
  EXPECT_EQ(summary.parameters, checkpoint_table().count());
  EXPECT_EQ(summary.run, inspect_checkpoint(folder / "c/step-00000003").run);
  EXPECT_EQ(steps_in(folder / "c"), (std::vector<std::int64_t>{12, 3}));
  EXPECT_EQ(read_file(folder / "c/LATEST", 100), "step-00000012");
}

TEST(Checkpoint, FilesAreHdf5WithTheArraysWhereTheManifestSays) {
  const TemporaryDirectory folder;
  save_steps(folder / "c", {1}, 3);
  const Manifest manifest = parse_manifest(read_file(folder / "c/step-00000001/MANIFEST.json", kManifestLimit), "m");
  ASSERT_EQ(manifest.files.size(), 3U);
  std::size_t datasets = 0;
  for (std::size_t f = 0; f < manifest.files.size(); ++f) {
    const Hdf5Layout layout = read_hdf5(shard(folder / "c", "00000001", manifest.files[f].name));
    datasets += layout.datasets.size();
    for (const ManifestTensor& tensor : manifest.tensors) {
      for (const ManifestChunk& chunk : tensor.chunks) {
        if (chunk.file != f) continue;
        std::string origin;
        for (int d = 0; d < tensor.shape.rank(); ++d) {
          origin += (d == 0 ? "" : ",") + std::to_string(chunk.box.origin[static_cast<std::size_t>(d)]);
        }
        const std::string name = "/first/" + tensor.name + (chunk.box.extent == tensor.shape ? "" : "@" + origin);
        const Hdf5Dataset* dataset = layout.find(name);
        ASSERT_NE(dataset, nullptr) << name;
        EXPECT_EQ(dataset->offset, chunk.offsets[1]);
        EXPECT_EQ(dataset->bytes, static_cast<std::uint64_t>(chunk.box.extent.elements()) * 4);
        EXPECT_EQ(text_attribute(dataset->attributes, "origin", name), origin);
        EXPECT_EQ(text_attribute(dataset->attributes, "global_shape", name), to_string(tensor.shape));
      }
    }
  }
  std::size_t chunks = 0;
  for (const ManifestTensor& tensor : manifest.tensors) chunks += tensor.chunks.size();
  EXPECT_EQ(datasets, 3 * chunks);
}

TEST(Checkpoint, KeepsTheNewest) {
  const TemporaryDirectory folder;
  save_steps(folder / "c", {1, 2, 3, 4, 5}, 1, Lay::replicated, 2);
  EXPECT_EQ(steps_in(folder / "c"), (std::vector<std::int64_t>{5, 4}));
  for (const auto& entry : fs::directory_iterator(folder / "c")) {
    EXPECT_FALSE(entry.path().filename().string().starts_with(".")) << entry.path() << " is left over";
  }
}

TEST(Checkpoint, WeightsAloneAreFoundFromTheRunFolder) {
  const TemporaryDirectory folder;
  save_steps(folder / "run/checkpoints", {4, 9}, 2);
  for (const std::string path : {"run", "run/checkpoints", "run/checkpoints/step-00000009"}) {
    run_thread_ranks(3, [&](Group& group) {
      CheckpointMember member(group, Lay::replicated);
      EXPECT_EQ(load_weights(folder / path, member.parts()).train.step, 9);
      for (const NamedSlice& slice : member.store->slices(SliceKind::held)) {
        EXPECT_EQ(slice.first.as<float>()[0], 0.0F) << "moments are left alone";
      }
      CheckpointMember all(group, Lay::replicated);
      all.fill(9);
      const auto got = member.store->slices(SliceKind::held);
      const auto want = all.store->slices(SliceKind::held);
      for (std::size_t i = 0; i < got.size(); ++i) {
        EXPECT_EQ(std::memcmp(got[i].master.data, want[i].master.data, got[i].master.bytes()), 0) << got[i].name;
      }
    });
  }
  const auto group = make_self_group("world");
  CheckpointMember member(*group, Lay::replicated);
  expect_error([&] { load_weights(folder / "nowhere", member.parts()); }, {"no checkpoint in", "nowhere"});
}

TEST(CheckpointResume, StartsFromTheBeginningOnlyWhereNothingWas) {
  const TemporaryDirectory folder;
  EXPECT_FALSE(load(folder / "c").state);
  expect_error([&] { load(folder / "c", ResumePolicy::parse("strict")); }, {"no checkpoint in"}, ExitCode::usage);
  expect_error([&] { load(folder / "c", ResumePolicy::parse("5")); }, {"no checkpoint in"}, ExitCode::usage);
  save_steps(folder / "c", {1});
  flip_bit(shard(folder / "c", "00000001"), 5000);
  expect_error([&] { load(folder / "c"); }, {"nothing in", "loads", "quarantine", "--resume never"});
  expect_error([&] { load(folder / "c"); }, {"nothing in", "--resume never"});  // still not silently
  EXPECT_FALSE(load(folder / "c", ResumePolicy::parse("never")).state);
}

TEST(CheckpointResume, TakesAStepAndLeavesTheAbandonedFutureAside) {
  const TemporaryDirectory folder;
  save_steps(folder / "c", {1, 2, 3});
  expect_error([&] { load(folder / "c", ResumePolicy::parse("7")); }, {"no step 7", "3, 2, 1"}, ExitCode::usage);
  const Loaded loaded = load(folder / "c", ResumePolicy::parse("2"));
  EXPECT_EQ(loaded.state->step, 2);
  ASSERT_EQ(loaded.notes.size(), 1U);
  EXPECT_NE(loaded.notes[0].find("does not go on from step 3"), std::string::npos);
  EXPECT_EQ(steps_in(folder / "c"), (std::vector<std::int64_t>{2, 1}));
  save_steps(folder / "c", {3});
  EXPECT_EQ(load(folder / "c").state->step, 3);
  EXPECT_FALSE(load(folder / "c", ResumePolicy::parse("never")).state);
  EXPECT_TRUE(steps_in(folder / "c").empty());
  for (const char* wrong : {"", "-1", "12x", "Auto", " 3"}) {
    expect_error([&] { ResumePolicy::parse(wrong); }, {"auto, strict, never"}, ExitCode::usage);
  }
}

/// Damage that a checkpoint may take, done to step 20 of a folder that also has step 10.
using Damage = void (*)(const std::string& step);
const std::pair<const char*, Damage> kDamages[] = {
    {"a missing file", [](const std::string& s) { fs::remove(s + "/shard-00001-of-00002.h5"); }},
    {"a missing manifest", [](const std::string& s) { fs::remove(s + "/MANIFEST.json"); }},
    {"a flipped bit of data", [](const std::string& s) { flip_bit(s + "/shard-00001-of-00002.h5", 9000); }},
    {"a flipped bit of metadata", [](const std::string& s) { flip_bit(s + "/shard-00000-of-00002.h5", 20); }},
    {"a flipped bit of the manifest", [](const std::string& s) { flip_bit(s + "/MANIFEST.json", 300); }},
    {"a cut file", [](const std::string& s) { fs::resize_file(s + "/shard-00000-of-00002.h5", 7777); }},
    {"a grown file", [](const std::string& s) { fs::resize_file(s + "/shard-00000-of-00002.h5", 999999); }},
    {"a cut manifest", [](const std::string& s) { fs::resize_file(s + "/MANIFEST.json", 100); }},
    {"an empty manifest", [](const std::string& s) { fs::resize_file(s + "/MANIFEST.json", 0); }},
    {"files of another step",
     [](const std::string& s) {
       fs::copy_file(s + "/../step-00000010/shard-00001-of-00002.h5", s + "/shard-00001-of-00002.h5",
                     fs::copy_options::overwrite_existing);
     }},
    {"a manifest of another step",
     [](const std::string& s) {
       fs::copy_file(s + "/../step-00000010/MANIFEST.json", s + "/MANIFEST.json", fs::copy_options::overwrite_existing);
     }},
};

TEST(CheckpointResume, FallsBackTogetherWhenTheNewestIsBad) {
  for (const auto& [what, damage] : kDamages) {
    const TemporaryDirectory folder;
    save_steps(folder / "c", {10, 20}, 2);
    damage(folder / "c/step-00000020");
    EXPECT_THROW(verify_checkpoint(folder / "c/step-00000020"), Error) << what;
    EXPECT_THROW(load(folder / "c", ResumePolicy::parse("strict"), 3), Error) << what;
    EXPECT_EQ(steps_in(folder / "c").size(), 2U) << "strict moves nothing: " << what;
    const Loaded loaded = load(folder / "c", {}, 3);
    ASSERT_TRUE(loaded.state) << what;
    EXPECT_EQ(loaded.state->step, 10) << what;
    ASSERT_EQ(loaded.notes.size(), 1U) << "one line: " << what;
    EXPECT_NE(loaded.notes[0].find("step 20 does not load"), std::string::npos) << loaded.notes[0];
    EXPECT_TRUE(fs::exists(folder / "c/quarantine/step-00000020.bad.a0003")) << what;
    EXPECT_EQ(steps_in(folder / "c"), std::vector<std::int64_t>{10});
  }
}

TEST(CheckpointResume, RefusesAnotherModelAndNamesTheDifference) {
  const TemporaryDirectory folder;
  save_steps(folder / "c", {5});
  ParamTable other;
  other.add(0, {.name = "embedding.weight", .shape = {61, 25}, .init = {}, .decay = true, .cut = {}});
  other.add(1, {.name = "blocks.0.extra", .shape = {24}, .init = {}, .decay = true, .cut = {}});
  expect_error(
      [&] {
        run_thread_ranks(2, [&](Group& group) {
          CheckpointMember member(group, Lay::replicated, other);
          Checkpoints({.root = folder / "c"}, member.parts()).load({});
        });
      },
      {"step-00000005 holds another model", "embedding.weight is [61, 24] there and [61, 25]",
       "blocks.0.extra [24] is missing there", "and 3 more"},
      ExitCode::usage);
  EXPECT_EQ(steps_in(folder / "c"), std::vector<std::int64_t>{5}) << "a good checkpoint is not moved away";
}

TEST(CheckpointResume, DoesNotTakeAnotherRunsCheckpoint) {
  const TemporaryDirectory folder;
  save_steps(folder / "a", {1});
  save_steps(folder / "b", {9});
  fs::copy(folder / "b/step-00000009", folder / "a/step-00000009");
  const Loaded loaded = load(folder / "a");
  EXPECT_EQ(loaded.state->step, 1);
  EXPECT_NE(loaded.notes.at(0).find("another run"), std::string::npos) << loaded.notes[0];
  fs::remove(folder / "b/RUN.json");  // the run is then that of the newest checkpoint
  EXPECT_EQ(load(folder / "b").state->step, 9);
  std::ofstream(folder / "b/RUN.json") << "{";
  expect_error([&] { load(folder / "b"); }, {"RUN.json", "Remove it"});
}

TEST(CheckpointSave, IsRefusedWhenAnotherJobHasTakenTheFolderOver) {
  const TemporaryDirectory folder;
  const auto group = make_self_group("world");
  CheckpointMember old_job(*group, Lay::replicated);
  CheckpointMember new_job(*group, Lay::replicated);
  old_job.fill(1);
  new_job.fill(2);
  Checkpoints old_checkpoints({.root = folder / "c"}, old_job.parts());
  Checkpoints new_checkpoints({.root = folder / "c"}, new_job.parts());
  EXPECT_TRUE(new_checkpoints.save(state_at(2)).saved);
  expect_error([&] { old_checkpoints.save(state_at(3)); }, {"another job has taken", "stops"});
  EXPECT_EQ(steps_in(folder / "c"), std::vector<std::int64_t>{2});
}

/// A file larger than the limit fails like a full disk, without one.
class SmallFilesOnly {
 public:
  explicit SmallFilesOnly(rlim_t bytes) {
    old_handler_ = std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit small{bytes, old_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
  }
  SmallFilesOnly(const SmallFilesOnly&) = delete;
  SmallFilesOnly& operator=(const SmallFilesOnly&) = delete;
  ~SmallFilesOnly() {
    setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, old_handler_);
  }

 private:
  rlimit old_{};
  void (*old_handler_)(int) = SIG_DFL;
};

TEST(CheckpointSave, FailsOnAFullDiskAndTheRunGoesOn) {
  const TemporaryDirectory folder;
  run_thread_ranks(2, [&](Group& group) {
    CheckpointMember member(group, Lay::replicated);
    Checkpoints checkpoints({.root = folder / "c"}, member.parts());
    member.fill(1);
    EXPECT_TRUE(checkpoints.save(state_at(1)).saved);
    member.fill(2);
    group.barrier();
    for (const rlim_t limit : {rlim_t{16384}, rlim_t{1500}, rlim_t{0}}) {
      std::unique_ptr<SmallFilesOnly> small;
      if (group.rank() == 0) small = std::make_unique<SmallFilesOnly>(limit);
      group.barrier();
      const SaveResult result = checkpoints.save(state_at(2));
      group.barrier();
      small.reset();
      EXPECT_FALSE(result.saved);
      EXPECT_NE(result.message.find("step 2 is not saved: "), std::string::npos) << result.message;
      EXPECT_EQ(member.wrong(2), 0);
      EXPECT_EQ(steps_in(folder / "c"), std::vector<std::int64_t>{1});
    }
    group.barrier();
    const SaveResult result = checkpoints.save(state_at(2));
    EXPECT_TRUE(result.saved) << result.message;
    EXPECT_TRUE(checkpoints.save(state_at(2)).saved) << "the same step again is there already";
  });
  EXPECT_EQ(steps_in(folder / "c"), (std::vector<std::int64_t>{2, 1}));
  EXPECT_EQ(load(folder / "c").state->step, 2);
}

TEST(CheckpointCorruption, NoFlippedBitOfAFileGoesUnnoticed) {
  const TemporaryDirectory folder;
  save_steps(folder / "c", {1});
  const std::string path = shard(folder / "c", "00000001");
  const std::uint64_t size = fs::file_size(path);
  // Every byte of the first 600 (superblock, headers), then one in 61: coprime to the 4 bytes of an element.
  for (std::uint64_t at = 0; at < size; at += at < 600 ? 1 : 61) {
    flip_bit(path, at);
    EXPECT_THROW(verify_checkpoint(folder / "c/step-00000001"), Error) << "byte " << at << " of " << size;
    flip_bit(path, at);
  }
  EXPECT_NO_THROW(verify_checkpoint(folder / "c/step-00000001"));
}

}  // namespace
}  // namespace trireme
