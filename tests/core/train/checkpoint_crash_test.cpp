// SPDX-License-Identifier: Apache-2.0
// A save is killed at every system call on files, and every such call fails: what was saved before must still be
// there, whole, and what was said to be saved must be.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>

#include "tests/core/io/temporary_directory.h"
#include "tests/core/train/checkpoint_member.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;
using trireme::testing::TemporaryDirectory;

// The calls that change a file system, and those that make or lose a descriptor.
constexpr std::array kCalls = {"openat",    "creat",  "write",     "pwrite64",  "writev", "pwritev", "fsync",
                               "fdatasync", "rename", "renameat",  "renameat2", "mkdir",  "mkdirat", "unlink",
                               "unlinkat",  "rmdir",  "ftruncate", "fallocate", "link",   "symlink", "close"};

struct Outcome {
  int status = -1;  // of waitpid
  std::string output;
  bool killed() const {
    return (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) || (WIFEXITED(status) && WEXITSTATUS(status) == 137);
  }
};

Outcome run(const std::string& command) {
  Outcome outcome;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return outcome;
  std::array<char, 4096> buffer;
  while (std::fgets(buffer.data(), buffer.size(), pipe) != nullptr) outcome.output += buffer.data();
  outcome.status = ::pclose(pipe);
  return outcome;
}

/// Of one name, the calls first .. last are made by the checkpoint.
struct Range {
  int first = 0;
  int last = 0;
};

class CheckpointCrash : public ::testing::Test {
 protected:
  void SetUp() override {
    if (run("strace -o /dev/null true 2>/dev/null").status != 0) GTEST_SKIP() << "strace cannot trace here";
    const auto group = make_self_group("world");
    CheckpointMember member(*group, Lay::replicated);
    member.fill(1);
    Checkpoints checkpoints({.root = folder_ / "template", .keep = 1}, member.parts());
    ASSERT_TRUE(checkpoints.save(state_at(1)).saved);
    count_calls();
  }

  std::string writer(const std::string& root) const {
    return std::string(TRIREME_CHECKPOINT_WRITER) + " " + root + " 2";
  }

  std::string fresh_root() {
    const std::string root = folder_ / "root";
    fs::remove_all(root);
    fs::copy(folder_ / "template", root, fs::copy_options::recursive);
    return root;
  }

  /// One undisturbed save, to know which calls there are.
  void count_calls() {
    std::string names;
    for (const char* call : kCalls) names += std::string(names.empty() ? "" : ",") + call;
    const std::string log = folder_ / "log";
    const Outcome outcome = run("exec strace -f -o " + log + " -e trace=access,faccessat,faccessat2," + names + " " +
                                writer(fresh_root()) + " 2>&1");
    ASSERT_EQ(outcome.output, "saved\n");
    std::map<std::string, int> counts;
    bool begun = false;
    std::ifstream lines(log);
    for (std::string line; std::getline(lines, line);) {
      if (line.find("write(1, \"saved") != std::string::npos) break;  // what follows is the end of the program
      begun = begun || line.find("/checkpoint-writer-begins") != std::string::npos;
      const std::size_t name = line.find_first_of("abcdefghijklmnopqrstuvwxyz");
      const std::size_t end = line.find('(');
      if (name == std::string::npos || end == std::string::npos || end < name) continue;
      const std::string call = line.substr(name, end - name);
      ++counts[call];
      if (!begun) continue;
      Range& range = ranges_[call];
      if (range.first == 0) range.first = counts[call];
      range.last = counts[call];
    }
    ranges_.erase("access");
    ranges_.erase("faccessat");
    ranges_.erase("faccessat2");
    for (const char* call : {"openat", "pwrite64", "fsync", "rename", "mkdir", "close"}) {
      ASSERT_TRUE(ranges_.contains(call)) << "no " << call << " was seen: the trace is not understood";
    }
  }

  /// Runs the save with this done to call `number` of the name.
  Outcome disturb(const std::string& root, const std::string& call, int number, const std::string& what) {
    return run("exec strace -f -o /dev/null -e trace=" + call + " -e inject=" + call + ":" + what +
               ":when=" + std::to_string(number) + " " + writer(root) + " 2>&1");
  }

  /// What a restart finds must be a whole checkpoint: step 2 when it was said to be saved, otherwise 1 or 2; and the
  /// run must be able to go on.
  void expect_whole(const std::string& root, bool said_saved, const std::string& where) {
    const auto group = make_self_group("world");
    CheckpointMember member(*group, Lay::replicated);
    std::vector<std::string> notes;
    Checkpoints checkpoints({.root = root, .keep = 1, .note = [&](const std::string& n) { notes.push_back(n); }},
                            member.parts());
    const auto state = checkpoints.load({});
    ASSERT_TRUE(state) << where;
    EXPECT_TRUE(state->step == 2 || (state->step == 1 && !said_saved)) << where << ": step " << state->step;
    EXPECT_EQ(member.wrong(static_cast<std::uint64_t>(state->step)), 0) << where;
    EXPECT_TRUE(notes.empty()) << where << ": " << notes[0];
    member.fill(3);
    EXPECT_TRUE(checkpoints.save(state_at(3)).saved) << where;
    for (const auto& entry : fs::directory_iterator(root)) {
      EXPECT_FALSE(entry.path().filename().string().starts_with(".")) << where << ": " << entry.path() << " is left";
    }
  }

  TemporaryDirectory folder_;
  std::map<std::string, Range> ranges_;
};

TEST_F(CheckpointCrash, KilledAtEveryCallThePastIsWhole) {
  int points = 0;
  for (const auto& [call, range] : ranges_) {
    for (int number = range.first; number <= range.last; ++number, ++points) {
      const std::string where = "killed at " + call + " " + std::to_string(number);
      const std::string root = fresh_root();
      const Outcome outcome = disturb(root, call, number, "signal=SIGKILL");
      EXPECT_TRUE(outcome.killed()) << where << ": the writer lived on and said " << outcome.output;
      expect_whole(root, outcome.output.find("saved\n") == 0, where);
      if (HasFatalFailure()) return;
    }
  }
  EXPECT_GT(points, 40) << "fewer points than a save has calls";
  RecordProperty("points", points);
  std::printf("killed at %d points\n", points);
}

TEST_F(CheckpointCrash, WhicheverCallFailsThePastIsWhole) {
  int points = 0;
  for (const auto& [call, range] : ranges_) {
    const bool writes = call.find("write") != std::string::npos || call == "openat" || call.find("mkdir") == 0;
    const std::string error = writes ? "error=ENOSPC" : "error=EIO";
    for (int number = range.first; number <= range.last; ++number, ++points) {
      const std::string where = call + " " + std::to_string(number) + " with " + error;
      const std::string root = fresh_root();
      const Outcome outcome = disturb(root, call, number, error);
      ASSERT_TRUE(WIFEXITED(outcome.status)) << where << ": " << outcome.output;
      EXPECT_LE(WEXITSTATUS(outcome.status), 1) << where << ": " << outcome.output;
      const bool said_saved = outcome.output.find("saved\n") == 0;
      EXPECT_TRUE(said_saved || outcome.output.size() > 20) << where << ": no reason given: " << outcome.output;
      expect_whole(root, said_saved, where);
      if (HasFatalFailure()) return;
    }
  }
  EXPECT_GT(points, 40);
  std::printf("failed at %d points\n", points);
}

}  // namespace
}  // namespace trireme
