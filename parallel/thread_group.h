// SPDX-License-Identifier: Apache-2.0
// Ranks as threads of one process: the place where they meet, and the group of those who meet there.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/group.h"

namespace trireme {

/// Another rank has failed; its own error is the one to report.
class PeerFailed : public Error {
 public:
  explicit PeerFailed(const std::string& message) : Error(message, ExitCode::failed, std::source_location::current()) {}
};

/// What one rank brings to a collective.
struct Post {
  const char* what = "";  // the collective's name
  std::size_t bytes = 0;  // must be the same on all ranks
  const void* in = nullptr;
  void* out = nullptr;
};

/// Where ranks meet, one meeting per collective.
class Court {
 public:
  explicit Court(int size) : size_(static_cast<std::size_t>(size)) {}

  /// Meeting `number` of the channel: when all ranks have come, each runs `work` on what all have brought; returns when
  /// all have run it.
  void meet(int channel, std::uint64_t number, int rank, const Post& post,
            const std::function<void(const std::vector<Post>&)>& work);
  /// Whoever waits, or comes later, throws.
  void poison();

  std::atomic<std::int64_t> ticket{0};

 private:
  struct Meeting {
    std::vector<Post> posts;
    std::size_t came = 0;
    std::size_t done = 0;
    std::size_t left = 0;
  };

  void await(std::unique_lock<std::mutex>& lock, const char* what, int rank, const std::function<bool()>& ready);

  std::size_t size_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::pair<int, std::uint64_t>, Meeting> meetings_;
  bool poisoned_ = false;
};

/// Member `rank` of the `size` that meet at the court.
std::unique_ptr<Group> make_thread_group(std::shared_ptr<Court> court, std::string name, int rank, int size);

}  // namespace trireme
