// SPDX-License-Identifier: Apache-2.0
// A device that has sizes and speeds but neither memory nor arithmetic: the real program runs on it and is counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/device.h"
#include "kernels/dry/counts.h"
#include "kernels/dry/machine.h"

namespace trireme {

namespace dry {
class Collectives;
}

/// Device memory is addresses that fault when they are touched, of any size, also beyond what the machine has. Pinned
/// memory is real, for the host reads and writes it. For one thread.
class DryDevice : public Device {
 public:
  explicit DryDevice(Machine machine);

  DeviceKind kind() const override { return DeviceKind::dry; }
  std::string description() const override { return machine_.name + ", counted only"; }
  /// Throws Error when all allocations together exceed the address space (2^54 bytes).
  Buffer allocate(std::size_t bytes, MemoryKind kind = MemoryKind::device) override;
  std::unique_ptr<Stream> make_stream(const std::string& name) override;
  std::unique_ptr<Event> make_event() override;
  void copy(Stream& stream, void* to, const void* from, std::size_t bytes) override;
  void zero(Stream& stream, void* data, std::size_t bytes) override;
  std::int64_t allocations() const override { return allocations_; }
  std::size_t allocated_bytes(MemoryKind kind) const override { return memory_of(kind).bytes; }
  double peak_flops(Dtype dtype) const override;
  std::int64_t many_rows() const override;

  const Machine& machine() const { return machine_; }
  /// The most bytes that were held at one time.
  std::size_t peak_bytes(MemoryKind kind) const { return memory_of(kind).peak; }
  /// Gives the stream at least so much scratch (kernels/scratch.h) where the machine's operations take any. What all
  /// streams have of it is among the allocated bytes.
  void take_scratch(Stream& stream, std::size_t bytes);
  std::size_t scratch_bytes() const { return scratch_; }
  /// What was done since the last clear_counts().
  DryCounts counts() const;
  /// Clocks go on; what was counted is forgotten.
  void clear_counts();
  /// Adds an operation to the counts and its time to the stream's clock: the launch, and the longer one of `seconds`
  /// of arithmetic and of moving `bytes` at the speed that this operation reaches, and what it loses to collectives of
  /// other streams meanwhile.
  void operate(Stream& stream, std::string_view operation, double flops, double bytes, double seconds, bool product);

 private:
  struct Memory {
    std::size_t bytes = 0;
    std::size_t peak = 0;
  };
  void free(void* data, std::size_t bytes, MemoryKind kind) noexcept override;
  const Memory& memory_of(MemoryKind kind) const { return kind == MemoryKind::pinned ? pinned_ : device_; }

  const Machine machine_;
  Memory device_, pinned_;
  std::int64_t allocations_ = 0;
  std::size_t reserved_ = 0;  // addresses given out so far
  std::size_t scratch_ = 0;
  std::map<std::string, OperationCounts, std::less<>> operations_;
  std::vector<std::shared_ptr<StreamTimes>> streams_;
  std::shared_ptr<dry::Collectives> collectives_;
};

}  // namespace trireme
