// SPDX-License-Identifier: Apache-2.0
// How a thread waits for messages: first by yielding, then by sleeping, so that it leaves its core to those that work.
#pragma once

#include <chrono>
#include <thread>

namespace trireme {

class Patience {
 public:
  /// Call between two looks.
  void pause() {
    if (std::chrono::steady_clock::now() - start_ < kYieldFirst) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(kSleep);
    }
  }

 private:
  static constexpr std::chrono::microseconds kYieldFirst{200};
  static constexpr std::chrono::microseconds kSleep{20};

  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace trireme
