// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/pipeline/together.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <source_location>
#include <string>
#include <thread>
#include <vector>

#include "core/base/error.h"
#include "core/base/stop.h"

namespace trireme {
namespace {

/// Threads that take one unit at a time from the caller: only the caller talks to other ranks.
class Workers {
 public:
  Workers(std::int64_t count, const std::function<void(std::uint64_t)>& body) : body_(body) {
    for (std::int64_t i = 0; i < count; ++i) threads_.emplace_back([this] { work(); });
  }

  ~Workers() { finish(); }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  /// Returns when a thread is free to take a unit; false when one has failed.
  bool await_free() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return error_ || (!unit_ && idle_ > 0); });
    return !error_;
  }

  void give(std::uint64_t unit) {
    const std::lock_guard lock(mutex_);
    unit_ = unit;
    changed_.notify_all();
  }

  /// Returns when all units are done; rethrows the first error.
  void close() {
    finish();
    if (error_) std::rethrow_exception(error_);
  }

 private:
  void finish() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
      changed_.notify_all();
    }
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      ++idle_;
      changed_.notify_all();
      changed_.wait(lock, [&] { return unit_ || closed_; });
      --idle_;
      if (!unit_) return;
      const std::uint64_t unit = *std::exchange(unit_, std::nullopt);
      lock.unlock();
      std::exception_ptr error;
      try {
        body_(unit);
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      if (error && !error_) error_ = error;
    }
  }

  const std::function<void(std::uint64_t)>& body_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<std::uint64_t> unit_;
  std::exception_ptr error_;
  std::int64_t idle_ = 0;
  bool closed_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace

void together(Group& world, const std::function<void()>& body) {
  std::string report;  // the exit code as a character, then the message; empty when all is well
  try {
    body();
  } catch (const std::exception& problem) {
    const Error error = explained(problem);
    report = static_cast<char>('0' + static_cast<int>(error.code())) + std::string(error.what());
  }
  for (const std::string& other : world.host_gather(report)) {
    if (other.empty()) continue;
    throw Error(other.substr(1), static_cast<ExitCode>(other[0] - '0'), std::source_location::current());
  }
}

void for_each_unit(Group& world, std::uint64_t units, std::int64_t workers,
                   const std::function<void(std::uint64_t)>& body, const std::function<void(std::uint64_t)>& told) {
  world.reset_tickets();
  together(world, [&] {
    Workers threads(std::max<std::int64_t>(workers, 1), body);
    while (threads.await_free()) {
      const auto unit = static_cast<std::uint64_t>(world.next_ticket());
      told(std::min(unit, units));
      leave_if_stop_requested();
      if (unit >= units) break;
      threads.give(unit);
    }
    threads.close();
  });
}

}  // namespace trireme
