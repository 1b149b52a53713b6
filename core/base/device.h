// SPDX-License-Identifier: Apache-2.0
// Where memory and time are: a device makes buffers, streams and events. Kinds: cpu, cuda, dry.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "core/base/types.h"

namespace trireme {

class Device;

enum class DeviceKind { cpu, cuda, dry };

/// Memory of the device, or memory of the host that the device can copy from and to without staging.
enum class MemoryKind { device, pinned };

/// The only owner of memory. Moves, never copies; frees through its device.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Device& device, void* data, std::size_t bytes, MemoryKind kind)
      : device_(&device), data_(data), bytes_(bytes), kind_(kind) {}
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer();

  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  void swap(Buffer& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(kind_, other.kind_);
  }

  Device* device_ = nullptr;
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
  MemoryKind kind_ = MemoryKind::device;
};

/// A point in a stream's work. Recorded again, it stands for the newer point.
class Event {
 public:
  virtual ~Event() = default;
  /// Returns when the recorded point has been reached (at once when nothing was recorded).
  virtual void synchronize() = 0;
};

/// A queue of work, done in order. Work on two streams is ordered by events alone, on the CPU as on a GPU.
class Stream {
 public:
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  virtual ~Stream() = default;
  /// Of all streams that this process has had: never given twice, unlike an address.
  std::uint64_t id() const { return id_; }
  /// What libraries of the device know this stream by: a cudaStream_t; null on a device that has no such thing.
  virtual void* native() const { return nullptr; }
  /// Marks the end of what has been enqueued so far.
  virtual void record(Event& event) = 0;
  /// What is enqueued afterwards starts after the event's recorded point.
  virtual void wait(Event& event) = 0;
  /// Runs `work` on the host in stream order. An exception in it is rethrown by synchronize().
  virtual void call(std::function<void()> work) = 0;
  /// Returns when all enqueued work is done; rethrows the first error of that work.
  virtual void synchronize() = 0;
  /// What was just enqueued takes `seconds` of modelled time. Only a dry stream, whose clock is modelled, heeds it:
  /// that is how a dry group says what a collective costs.
  virtual void pass_time(double /*seconds*/) {}

 private:
  inline static std::atomic<std::uint64_t> made_{0};
  const std::uint64_t id_ = ++made_;
};

class Device {
 public:
  virtual ~Device() = default;
  virtual DeviceKind kind() const = 0;
  /// For people: "AMD EPYC, 2 threads".
  virtual std::string description() const = 0;
  /// Aligned to 256 bytes, zeroed. Throws Error with the size and what is free when there is not enough.
  virtual Buffer allocate(std::size_t bytes, MemoryKind kind = MemoryKind::device) = 0;
  virtual std::unique_ptr<Stream> make_stream(const std::string& name) = 0;
  virtual std::unique_ptr<Event> make_event() = 0;
  /// In stream order, between any two of device and pinned memory.
  virtual void copy(Stream& stream, void* to, const void* from, std::size_t bytes) = 0;
  virtual void zero(Stream& stream, void* data, std::size_t bytes) = 0;
  /// How many allocations were made so far: the tests hold that it stands still after the first step.
  virtual std::int64_t allocations() const = 0;
  /// Bytes held now by buffers of this kind, as they were asked for.
  virtual std::size_t allocated_bytes(MemoryKind kind) const = 0;
  /// Dense peak in FLOP/s of matrix products in this dtype: MFU is measured against it.
  virtual double peak_flops(Dtype dtype) const = 0;
  /// Rows of a matrix product from which on the traffic of its matrix of weights hardly counts: what work that is cut
  /// into chunks should have in each.
  virtual std::int64_t many_rows() const { return 512; }

 private:
  friend class Buffer;
  virtual void free(void* data, std::size_t bytes, MemoryKind kind) noexcept = 0;
};

inline Buffer::~Buffer() {
  if (data_ != nullptr) device_->free(data_, bytes_, kind_);
}

}  // namespace trireme
