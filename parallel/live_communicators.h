// SPDX-License-Identifier: Apache-2.0
// The communicators of this process that can fail without any call that says so: who asks them, and who ends them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>

namespace trireme {

class LiveCommunicators {
 public:
  struct Communicator {
    std::function<std::string()> error;  // what has gone wrong in it; nothing: "". From any thread.
    std::function<void()> abort;         // ends its work on the device, unfinished. Once, from any thread.
  };

  /// Until remove(number) or abort_all().
  std::uint64_t add(Communicator communicator);
  /// False: it has been aborted, or is being; it must not be used any more.
  bool remove(std::uint64_t number);
  /// What has gone wrong in one of them; nothing: "".
  std::string first_error();
  /// Aborts all of them, so that nothing on this device waits for other ranks any more. An abort that itself does not
  /// come to an end is left behind after some seconds: this is called by whoever ends the process.
  void abort_all();

 private:
  std::mutex mutex_;
  std::uint64_t added_ = 0;
  std::map<std::uint64_t, Communicator> live_;
};

/// Those of this process.
LiveCommunicators& live_communicators();

}  // namespace trireme
