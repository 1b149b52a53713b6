// SPDX-License-Identifier: Apache-2.0
#include "core/io/atomic_file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/core/io/expect_error.h"
#include "tests/core/io/temporary_directory.h"

namespace trireme {
namespace {

using testing::expect_error;
using testing::TemporaryDirectory;

std::size_t entries(const TemporaryDirectory& directory) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory.path())) ++count;
  return count;
}

TEST(FileDescriptor, WritesAndReadsAtOffsets) {
  const TemporaryDirectory directory;
  FileDescriptor file = FileDescriptor::create(directory / "a");
  file.pwrite_all("world", 5, 6);
  file.pwrite_all("hello ", 6, 0);
  file.sync();
  EXPECT_EQ(file.size(), 11U);
  file.close();
  EXPECT_EQ(read_file(directory / "a", 11), "hello world");
  std::string middle(3, ' ');
  FileDescriptor::open_read(directory / "a").pread_all(middle.data(), 3, 4);
  EXPECT_EQ(middle, "o w");
}

TEST(FileDescriptor, ErrorsNameThePathAndTheBytes) {
  const TemporaryDirectory directory;
  expect_error([&] { FileDescriptor::open_read(directory / "none"); }, {"none", "reading", "No such file"});
  expect_error([&] { FileDescriptor::open_read(directory.path().string()); }, {"not a regular file"});
  ASSERT_EQ(::mkfifo((directory / "pipe").c_str(), 0600), 0);
  expect_error([&] { FileDescriptor::open_read(directory / "pipe"); }, {"pipe", "not a regular file"});
  write_file_atomic(directory / "a", "12345");
  expect_error([&] { FileDescriptor::create(directory / "a"); }, {"File exists"});
  std::string four(4, ' ');
  expect_error([&] { FileDescriptor::open_read(directory / "a").pread_all(four.data(), 4, 3); },
               {"ends at byte 5", "4 bytes expected at offset 3", "2 found"});
  expect_error([&] { read_file(directory / "a", 4); }, {"5 bytes", "limit of 4"});
  expect_error([&] { FileDescriptor::open_read(directory / "a").pwrite_all("x", 1, 0); }, {"cannot write", "/a"});
}

TEST(FileDescriptor, AFullDiskSaysWhatWasWantedAndWhatIsFree) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  // A device is refused by open, so the disk is made full by the size limit of this process instead.
  const TemporaryDirectory directory;
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{1000, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  expect_error([&] { write_file_atomic(directory / "big", std::string(5000, 'x')); },
               {"cannot write 4000 bytes at offset 1000", "big", "File too large"});
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(entries(directory), 0U) << "the temporary file is gone";
  EXPECT_GT(free_bytes(directory / "not/yet/there"), 0U);
}

TEST(AtomicFile, WhatAKilledProcessOfTheSameNumberLeftIsNotInTheWay) {
  const TemporaryDirectory directory;
  for (int i = 0; i < 100; ++i) {
    std::ofstream(directory / fmt::format(".a.{}.{}.tmp", ::getpid(), i)) << "half";
  }
  write_file_atomic(directory / "a", "whole");
  EXPECT_EQ(read_file(directory / "a", 100), "whole");
}

TEST(AtomicFile, ReplacesWholeOrNotAtAll) {
  const TemporaryDirectory directory;
  write_file_atomic(directory / "a", "one");
  write_file_atomic(directory / "a", "two, longer");
  EXPECT_EQ(read_file(directory / "a", 100), "two, longer");
  EXPECT_EQ(entries(directory), 1U);
  std::filesystem::create_directory(directory / "folder");
  expect_error([&] { write_file_atomic(directory / "folder", "x"); }, {"cannot rename", "folder"});
  EXPECT_EQ(entries(directory), 2U);
  expect_error([&] { write_file_atomic(directory / "missing/a", "x"); }, {"missing"});
  expect_error([&] { rename_synced(directory / "b", directory / "c"); }, {"cannot rename"});
}

}  // namespace
}  // namespace trireme
