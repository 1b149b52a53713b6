// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/stream.h"

#include <pthread.h>

#include <cassert>

#include "core/base/error.h"

namespace trireme::cpu {

bool CpuEvent::Points::reached(std::int64_t point) const {
  if (point <= all_until_) return true;
  return ((beyond_ >> static_cast<unsigned>(point - all_until_ - 1)) & 1U) != 0;
}

std::int64_t CpuEvent::Points::issue() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return issued_ - all_until_ < 64; });
  return ++issued_;
}

std::int64_t CpuEvent::Points::last_issued() {
  const std::lock_guard lock(mutex_);
  return issued_;
}

void CpuEvent::Points::reach(std::int64_t point, std::exception_ptr error) {
  {
    const std::lock_guard lock(mutex_);
    beyond_ |= std::uint64_t{1} << static_cast<unsigned>(point - all_until_ - 1);
    for (; (beyond_ & 1U) != 0; beyond_ >>= 1U) ++all_until_;
    if (point >= error_point_) {
      error_ = std::move(error);
      error_point_ = point;
    }
  }
  changed_.notify_all();
}

std::exception_ptr CpuEvent::Points::await(std::int64_t point) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return reached(point); });
  return error_point_ == point ? error_ : nullptr;
}

void CpuEvent::synchronize() {
  if (const std::exception_ptr error = points_->await(points_->last_issued())) std::rethrow_exception(error);
}

CpuStream::CpuStream(std::string name, bool run_inline) : name_(std::move(name)), run_inline_(run_inline) {
  if (run_inline_) return;
  storage_ = std::make_unique<std::array<Work, kSlots>>();
  slots_ = storage_->data();
  worker_ = std::thread([this] { work_through(); });
  pthread_setname_np(worker_.native_handle(), name_.substr(0, 15).c_str());
}

CpuStream::~CpuStream() {
  if (run_inline_) return;
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  pushed_changed_.notify_one();
  worker_.join();
}

void CpuStream::record(Event& event) {
  assert(dynamic_cast<CpuEvent*>(&event) != nullptr);
  const auto& points = static_cast<CpuEvent&>(event).points();
  const std::int64_t point = points->issue();
  enqueue([this, points, point] { points->reach(point, error()); }, /*even_after_failure=*/true);
}

void CpuStream::wait(Event& event) {
  assert(dynamic_cast<CpuEvent*>(&event) != nullptr);
  const auto& points = static_cast<CpuEvent&>(event).points();
  const std::int64_t point = points->last_issued();
  enqueue([points, point] {
    if (const std::exception_ptr error = points->await(point)) std::rethrow_exception(error);
  });
}

void CpuStream::synchronize() {
  std::exception_ptr error;
  if (run_inline_) {
    error = std::exchange(error_, nullptr);
  } else {
    std::unique_lock lock(mutex_);
    const std::int64_t until = pushed_;
    done_changed_.wait(lock, [&] { return done_ >= until; });
    error = std::exchange(error_, nullptr);
  }
  if (error) std::rethrow_exception(error);
}

std::unique_lock<std::mutex> CpuStream::reserve() {
  std::unique_lock lock(mutex_);
  if (pushed_ - done_ == static_cast<std::int64_t>(kSlots)) {
    check(std::this_thread::get_id() != worker_.get_id(),
          "stream '{}' is full and waits for itself: its own work adds to it", name_);
    done_changed_.wait(lock, [&] { return pushed_ - done_ < static_cast<std::int64_t>(kSlots); });
  }
  return lock;
}

void CpuStream::publish(std::unique_lock<std::mutex>& lock) {
  ++pushed_;
  const bool wake = worker_sleeps_;
  lock.unlock();
  if (wake) pushed_changed_.notify_one();
}

std::exception_ptr CpuStream::error() {
  std::unique_lock<std::mutex> lock;
  if (!run_inline_) lock = std::unique_lock(mutex_);
  return error_;
}

void CpuStream::fail_with(std::exception_ptr error) {
  std::unique_lock<std::mutex> lock;
  if (!run_inline_) lock = std::unique_lock(mutex_);
  if (error_ == nullptr) error_ = std::move(error);
}

void CpuStream::work_through() {
  std::unique_lock lock(mutex_);
  while (true) {
    worker_sleeps_ = true;
    pushed_changed_.wait(lock, [&] { return pushed_ > done_ || closing_; });
    worker_sleeps_ = false;
    if (pushed_ == done_) return;
    Work& work = slots_[static_cast<std::size_t>(done_) % kSlots];
    const bool runs = error_ == nullptr || work.even_after_failure;
    lock.unlock();
    if (runs) {
      const auto run = [&work] { work.run(); };
      run_guarded(run);
    }
    work.destroy();
    lock.lock();
    ++done_;
    done_changed_.notify_all();
  }
}

}  // namespace trireme::cpu
