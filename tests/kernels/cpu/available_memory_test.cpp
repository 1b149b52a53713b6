// SPDX-License-Identifier: Apache-2.0
// What /proc and control groups say of free memory, in made-up trees of files.
#include "kernels/cpu/available_memory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <limits>

namespace trireme::cpu {
namespace {

namespace fs = std::filesystem;

class AvailableMemory : public testing::Test {
 protected:
  void SetUp() override { write("/proc/meminfo", "MemTotal: 9000 kB\nMemFree: 10 kB\nMemAvailable: 8000 kB\n"); }
  void TearDown() override { fs::remove_all(root_); }
  void write(const std::string& path, const std::string& text) const {
    fs::create_directories(fs::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }
  std::size_t found() const { return available_memory(root_); }

 private:
  const std::string root_ =
      (fs::temp_directory_path() / ("trireme_available_memory_" + std::to_string(::getpid()))).string();
};

TEST_F(AvailableMemory, IsTheSystemsWhereNoGroupLimitsIt) {
  EXPECT_EQ(found(), 8000U * 1024);
  write("/proc/self/cgroup", "0::/user/shell\n");
  write("/sys/fs/cgroup/user/shell/memory.max", "max\n");
  write("/sys/fs/cgroup/user/shell/memory.current", "4096\n");
  EXPECT_EQ(found(), 8000U * 1024);
  write("/proc/meminfo", "MemTotal: 9000 kB\n");
  EXPECT_EQ(found(), std::numeric_limits<std::size_t>::max());
}

TEST_F(AvailableMemory, IsWhatTheTightestGroupAboveLeaves) {
  write("/proc/self/cgroup", "0::/job/step/task\n");
  write("/sys/fs/cgroup/job/step/task/memory.max", "max\n");
  write("/sys/fs/cgroup/job/step/task/memory.current", "100\n");
  write("/sys/fs/cgroup/job/step/memory.max", "5000000\n");
  write("/sys/fs/cgroup/job/step/memory.current", "1000000\n");
  EXPECT_EQ(found(), 4000000U);
  // Cached files that nobody uses are given back at need.
  write("/sys/fs/cgroup/job/step/memory.stat", "anon 400000\ninactive_file 600000\nactive_file 7\n");
  EXPECT_EQ(found(), 4600007U);
  write("/sys/fs/cgroup/job/memory.max", "2000000\n");
  write("/sys/fs/cgroup/job/memory.current", "1500000\n");
  EXPECT_EQ(found(), 500000U);
  write("/sys/fs/cgroup/job/memory.current", "2500000\n");  // over its limit
  EXPECT_EQ(found(), 0U);
}

TEST_F(AvailableMemory, OfAContainerIsItsOwnRootGroups) {
  write("/proc/self/cgroup", "0::/\n");
  write("/sys/fs/cgroup/memory.max", "3000000\n");
  write("/sys/fs/cgroup/memory.current", "1000000\n");
  EXPECT_EQ(found(), 2000000U);
}

TEST_F(AvailableMemory, OfAGroupOfVersionOne) {
  write("/proc/self/cgroup", "12:cpu,cpuacct:/job\n11:memory:/job\n0::/\n");
  write("/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "6000000\n");
  write("/sys/fs/cgroup/memory/job/memory.usage_in_bytes", "2000000\n");
  write("/sys/fs/cgroup/memory/job/memory.stat", "inactive_file 5\ntotal_inactive_file 1000000\n");
  EXPECT_EQ(found(), 5000000U);
}

}  // namespace
}  // namespace trireme::cpu
