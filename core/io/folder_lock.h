// SPDX-License-Identifier: Apache-2.0
// One job at a time writes a folder.
#pragma once

#include <chrono>
#include <string>

namespace trireme {

/// The name of this machine; "unknown-host" when it has none.
std::string host_name();

/// Holds the folder for as long as it lives; the file ".lock" in it says for whom, and is gone afterwards. What keeps
/// others out is flock(2), so a job that was killed holds nothing. On a file system without it the file's text
/// decides: a process of this host that still runs holds the folder, any other does not, which warning() then tells.
class FolderLock {
 public:
  using LockCall = int (*)(int descriptor, int operation);

  /// Throws Error naming the holder when another job still holds `folder`, which must exist, after `patience` (a job
  /// that was just killed may take a moment to be gone). `lock`: flock, unless a test has another.
  explicit FolderLock(const std::string& folder, std::chrono::milliseconds patience = {}, LockCall lock = nullptr);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  /// A line for people when the file system cannot say whether another job holds the folder; otherwise empty.
  const std::string& warning() const { return warning_; }

 private:
  bool take(LockCall lock);

  std::string path_;
  int descriptor_ = -1;
  bool locked_ = false;  // by flock, not by the file's text alone
  std::string record_;   // what the file says while we hold it
  std::string holder_;   // who has it, when it is not us
  std::string warning_;
};

}  // namespace trireme
