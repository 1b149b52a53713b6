// SPDX-License-Identifier: Apache-2.0
// The communicators of this process that can fail without any call that says so: who asks them, and who ends them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "core/base/status_board.h"

namespace trireme {

class LiveCommunicators {
 public:
  /// How far a communicator's collectives are that no host thread notes on a board.
  struct Moment {
    std::uint64_t begun = 0, ended = 0;  // numbers of the last ones
    std::optional<Collective> running, last;
  };
  /// What is asked of one; from any thread.
  struct Communicator {
    std::function<std::string()> error;        // what has gone wrong in it; nothing: ""
    std::function<void()> abort;               // ends its work on the device, unfinished; once
    std::function<Moment()> moment = nullptr;  // none: its collectives are on the board
  };

  /// Until remove(number) or abort_all().
  std::uint64_t add(Communicator communicator);
  /// False: it has been aborted, or is being; it must not be used any more.
  bool remove(std::uint64_t number);
  /// What has gone wrong in one of them; nothing: "".
  std::string first_error();
  /// Of all that have one, by number.
  std::map<std::uint64_t, Moment> moments();
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
