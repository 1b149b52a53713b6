// SPDX-License-Identifier: Apache-2.0
// One job at a time writes a folder.
#pragma once

#include <string>

namespace trireme {

/// Holds the folder for as long as it lives; the file ".lock" in it is gone afterwards. A job that was killed holds
/// nothing. File systems that have no locks hold nothing either.
class FolderLock {
 public:
  /// Throws Error when another job holds `folder`, which must exist.
  explicit FolderLock(const std::string& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  std::string path_;
  int descriptor_ = -1;
};

}  // namespace trireme
