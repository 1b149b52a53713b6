// SPDX-License-Identifier: Apache-2.0
// A stream that is nothing but a queue and a thread: the tests of groups need no device.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

#include "core/base/device.h"

namespace trireme {

class QueueStream final : public Stream {
 public:
  QueueStream() : thread_([this] { run(); }) {}
  ~QueueStream() override {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  void record(Event& /*event*/) override {}
  void wait(Event& /*event*/) override {}
  void call(std::function<void()> work) override {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
    changed_.notify_all();
  }
  void synchronize() override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return queue_.empty() && !busy_; });
    if (auto error = std::exchange(error_, nullptr)) std::rethrow_exception(error);
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return !queue_.empty() || closing_; });
      if (queue_.empty()) return;
      const auto work = std::move(queue_.front());
      queue_.pop_front();
      busy_ = true;
      const bool skip = error_ != nullptr;
      lock.unlock();
      std::exception_ptr error;
      try {
        if (!skip) work();
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      if (error && !error_) error_ = error;
      busy_ = false;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  std::exception_ptr error_;
  bool busy_ = false;
  bool closing_ = false;
  std::thread thread_;  // last: starts when all else is there
};

}  // namespace trireme
