// SPDX-License-Identifier: Apache-2.0
// Streams and events of the CPU: a queue with a thread of its own, whose slots hold the work in place, or no queue.
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

#include "core/base/device.h"

namespace trireme::cpu {

/// A closure stored in place: making, running and destroying one allocates nothing.
class Work {
 public:
  static constexpr std::size_t kBytes = 576;

  template <class F>
  void emplace(F&& work) {
    using Closure = std::remove_cvref_t<F>;
    static_assert(sizeof(Closure) <= kBytes && alignof(Closure) <= alignof(std::max_align_t));
    ::new (storage_.data()) Closure(std::forward<F>(work));
    run_ = [](void* at) { (*static_cast<Closure*>(at))(); };
    destroy_ = [](void* at) noexcept { static_cast<Closure*>(at)->~Closure(); };
  }
  void run() { run_(storage_.data()); }
  void destroy() noexcept { destroy_(storage_.data()); }

  bool even_after_failure = false;

 private:
  alignas(std::max_align_t) std::array<std::byte, kBytes> storage_;
  void (*run_)(void*) = nullptr;
  void (*destroy_)(void*) noexcept = nullptr;
};

class CpuEvent : public Event {
 public:
  /// The recorded points, numbered from 1. Shared with the work in flight, so that an event may die before it is
  /// reached.
  class Points {
   public:
    /// A new point; waits while 64 older ones are outstanding.
    std::int64_t issue();
    std::int64_t last_issued();
    /// `error` is what the stream had failed with at that point, or null.
    void reach(std::int64_t point, std::exception_ptr error);
    /// Returns once `point` has been reached, with its stream's error.
    std::exception_ptr await(std::int64_t point);

   private:
    bool reached(std::int64_t point) const;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::int64_t issued_ = 0;
    std::int64_t all_until_ = 0;  // all points up to this one are reached
    std::uint64_t beyond_ = 0;    // bit i: point all_until_ + 1 + i is reached
    std::exception_ptr error_;
    std::int64_t error_point_ = 0;
  };

  void synchronize() override;
  const std::shared_ptr<Points>& points() const { return points_; }

 private:
  std::shared_ptr<Points> points_ = std::make_shared<Points>();
};

/// Work that throws fails the stream: what follows is skipped until synchronize() has rethrown the error. Events
/// recorded on a failed stream are reached, and fail whoever waits for them. The destructor does all enqueued
/// work.
class CpuStream : public Stream {
 public:
  CpuStream(std::string name, bool run_inline);
  ~CpuStream() override;
  CpuStream(const CpuStream&) = delete;
  CpuStream& operator=(const CpuStream&) = delete;

  void record(Event& event) override;
  void wait(Event& event) override;
  void call(std::function<void()> work) override { enqueue(std::move(work)); }
  void synchronize() override;

  /// Adds work to the queue, waiting while it is full. Work must not add to its own stream.
  template <class F>
  void enqueue(F&& work, bool even_after_failure = false) {
    if (run_inline_) {
      if (error_ == nullptr || even_after_failure) run_guarded(work);
      return;
    }
    auto lock = reserve();
    Work& slot = slots_[static_cast<std::size_t>(pushed_) % kSlots];
    slot.emplace(std::forward<F>(work));
    slot.even_after_failure = even_after_failure;
    publish(lock);
  }

 private:
  static constexpr std::size_t kSlots = 256;

  template <class F>
  void run_guarded(F& work) {
    try {
      work();
    } catch (...) {
      fail_with(std::current_exception());
    }
  }
  std::unique_lock<std::mutex> reserve();
  void publish(std::unique_lock<std::mutex>& lock);
  std::exception_ptr error();
  void fail_with(std::exception_ptr error);
  void work_through();

  const std::string name_;
  const bool run_inline_;
  std::mutex mutex_;
  std::condition_variable pushed_changed_;
  std::condition_variable done_changed_;
  std::int64_t pushed_ = 0;
  std::int64_t done_ = 0;
  bool worker_sleeps_ = false;
  bool closing_ = false;
  std::exception_ptr error_;
  std::unique_ptr<std::array<Work, kSlots>> storage_;
  Work* slots_ = nullptr;
  std::thread worker_;
};

}  // namespace trireme::cpu
