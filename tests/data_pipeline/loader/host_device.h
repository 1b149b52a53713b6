// SPDX-License-Identifier: Apache-2.0
// The least of a device: host memory. For tests of code that asks a device for memory and for nothing else.
#pragma once

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "core/base/device.h"
#include "core/base/error.h"

namespace trireme::testing {

class HostDevice final : public Device {
 public:
  DeviceKind kind() const override { return DeviceKind::cpu; }
  std::string description() const override { return "host memory"; }
  Buffer allocate(std::size_t bytes, MemoryKind memory) override {
    const std::size_t rounded = (bytes + 255) / 256 * 256;
    void* data = std::aligned_alloc(256, rounded);
    std::memset(data, 0, rounded);
    ++allocations_;
    (memory == MemoryKind::pinned ? pinned_ : held_) += bytes;
    return {*this, data, bytes, memory};
  }
  std::unique_ptr<Stream> make_stream(const std::string&) override { fail("this device has no streams"); }
  std::unique_ptr<Event> make_event() override { fail("this device has no events"); }
  void copy(Stream&, void*, const void*, std::size_t) override { fail("this device has no streams"); }
  void zero(Stream&, void*, std::size_t) override { fail("this device has no streams"); }
  std::int64_t allocations() const override { return allocations_; }
  std::size_t allocated_bytes(MemoryKind memory) const override {
    return memory == MemoryKind::pinned ? pinned_ : held_;
  }
  double peak_flops(Dtype) const override { return 1; }

 private:
  void free(void* data, std::size_t bytes, MemoryKind memory) noexcept override {
    (memory == MemoryKind::pinned ? pinned_ : held_) -= bytes;
    std::free(data);
  }

  std::int64_t allocations_ = 0;
  std::size_t held_ = 0;
  std::size_t pinned_ = 0;
};

}  // namespace trireme::testing
