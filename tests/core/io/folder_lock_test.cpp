// SPDX-License-Identifier: Apache-2.0
#include "core/io/folder_lock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/core/io/expect_error.h"
#include "tests/core/io/temporary_directory.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;
using trireme::testing::expect_error;
using trireme::testing::TemporaryDirectory;

/// A process that does `work` and then sleeps until it is killed; returns once the work is done.
class Child {
 public:
  explicit Child(const std::function<void()>& work) {
    int ends[2];
    if (::pipe(ends) != 0) return;
    id_ = ::fork();
    if (id_ == 0) {
      work();
      if (::write(ends[1], "+", 1) != 1) _exit(1);
      for (;;) ::pause();
    }
    char byte = 0;
    ::close(ends[1]);
    done_ = ::read(ends[0], &byte, 1) == 1;
    ::close(ends[0]);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { kill(); }
  void kill() {
    if (id_ <= 0) return;
    ::kill(id_, SIGKILL);
    ::waitpid(id_, nullptr, 0);
    id_ = -1;
  }
  pid_t id() const { return id_; }
  bool done() const { return done_; }

 private:
  pid_t id_ = -1;
  bool done_ = false;
};

int no_locks_here(int /*descriptor*/, int /*operation*/) {
  errno = ENOSYS;
  return -1;
}

TEST(FolderLock, NamesTheJobThatHoldsTheFolder) {
  const TemporaryDirectory folder;
  {
    const FolderLock lock(folder / "");
    EXPECT_TRUE(lock.warning().empty());
    expect_error([&] { FolderLock second(folder / ""); },
                 {folder / "", "another job", "process " + std::to_string(::getpid()), "host " + host_name(),
                  "since 20", "choose another folder"});
  }
  EXPECT_TRUE(fs::is_empty(folder.path())) << "nothing is left behind";
  const FolderLock again(folder / "");
}

TEST(FolderLock, OfAKilledJobBlocksNobody) {
  const TemporaryDirectory folder;
  Child job([&] { new FolderLock(folder / ""); });
  ASSERT_TRUE(job.done());
  expect_error([&] { FolderLock second(folder / ""); }, {"process " + std::to_string(job.id())});
  job.kill();
  EXPECT_TRUE(fs::exists(folder / ".lock")) << "the file stays: a file alone holds nothing";
  const FolderLock second(folder / "");
}

TEST(FolderLock, WaitsForAJobThatIsAboutToBeGone) {
  const TemporaryDirectory folder;
  auto first = std::make_unique<FolderLock>(folder / "");
  std::thread end([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds{200});
    first.reset();
  });
  EXPECT_NO_THROW(FolderLock(folder / "", std::chrono::minutes{1}));
  end.join();
}

TEST(FolderLock, GoesByTheTextWhereTheFileSystemHasNoLocks) {
  const TemporaryDirectory folder;
  {
    Child job([&] { new FolderLock(folder / "", {}, &no_locks_here); });
    ASSERT_TRUE(job.done());
    expect_error([&] { FolderLock second(folder / "", {}, &no_locks_here); },
                 {"another job", "process " + std::to_string(job.id())});
    job.kill();
    const FolderLock second(folder / "", {}, &no_locks_here);
    EXPECT_TRUE(second.warning().empty()) << second.warning();
  }
  EXPECT_FALSE(fs::exists(folder / ".lock"));
  std::ofstream(folder / ".lock") << "elsewhere 4242 2026-01-02T03:04:05Z\n";
  const FolderLock third(folder / "", {}, &no_locks_here);
  EXPECT_NE(third.warning().find("process 4242 on host elsewhere, since 2026-01-02T03:04:05Z"), std::string::npos)
      << third.warning();
}

TEST(FolderLock, LeavesTheFileOfAnotherHostThatTookTheFolderOver) {
  const TemporaryDirectory folder;
  {
    const FolderLock lock(folder / "", {}, &no_locks_here);
    std::ofstream(folder / ".lock") << "elsewhere 4242 2026-01-02T03:04:05Z\n";
  }
  EXPECT_TRUE(fs::exists(folder / ".lock"));
}

TEST(FolderLock, TrustsNoTextThatIsNotARecord) {
  const TemporaryDirectory folder;
  for (const std::string text :
       {"", "\n", "host 1", "host -1 now\n", "host x now\n", "host 1 \x1b[2J\n", "host 99999999999999999999 now\n"}) {
    std::ofstream(folder / ".lock") << text;
    const FolderLock lock(folder / "", {}, &no_locks_here);
    EXPECT_TRUE(lock.warning().empty()) << lock.warning();
  }
  fs::create_directory(folder / "x");
  fs::create_symlink("elsewhere", folder / "x/.lock");
  expect_error([&] { FolderLock lock(folder / "x"); }, {"cannot open", ".lock"});
  expect_error([&] { FolderLock lock(folder / "missing"); }, {"cannot open", "missing/.lock"});
}

}  // namespace
}  // namespace trireme
