// SPDX-License-Identifier: Apache-2.0
// CUDA's streams and events, and the scratch memory that belongs to a stream.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "core/base/device.h"

namespace trireme::cuda {

/// Owns one of CUDA's handles: moves, never copies, destroyed once.
template <class T, cudaError_t (*destroy)(T)>
class Handle {
 public:
  Handle() = default;
  explicit Handle(T value) : value_(value) {}
  Handle(Handle&& other) noexcept : value_(std::exchange(other.value_, nullptr)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    if (value_ != nullptr) destroy(value_);
  }
  T get() const { return value_; }

 private:
  T value_ = nullptr;
};
using StreamHandle = Handle<cudaStream_t, cudaStreamDestroy>;
using EventHandle = Handle<cudaEvent_t, cudaEventDestroy>;

/// The first error of work that a stream did on the host; shared with events, through which it passes on.
class HostError;

class CudaEvent : public Event {
 public:
  CudaEvent();
  void synchronize() override;

 private:
  friend class CudaStream;
  EventHandle handle_;
  std::shared_ptr<HostError> error_;  // of the stream that recorded it last
};

class CudaStream : public Stream {
 public:
  /// The device outlives it.
  CudaStream(Device& device, const std::string& name);
  ~CudaStream() override;

  void record(Event& event) override;
  void wait(Event& event) override;
  void call(std::function<void()> work) override;
  void synchronize() override;

  void* native() const override { return handle_.get(); }
  cudaStream_t handle() const { return handle_.get(); }
  /// At least so many bytes of device memory, for the operation that is enqueued next and no other; grows at the first
  /// use of a larger size, and waits for the stream then.
  void* scratch(std::size_t bytes);
  int multiprocessors() const { return multiprocessors_; }
  Device& device() const { return device_; }

 private:
  Device& device_;
  std::string name_;
  int multiprocessors_ = 0;
  Buffer scratch_;
  std::shared_ptr<HostError> error_;
  StreamHandle handle_;
};

}  // namespace trireme::cuda
