// SPDX-License-Identifier: Apache-2.0
// The CPU as a device: host memory, queues on threads, and a measured peak.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "core/base/device.h"
#include "kernels/kernels.h"

namespace trireme::cpu {

class CpuDevice : public Device {
 public:
  explicit CpuDevice(const CpuOptions& options);

  DeviceKind kind() const override { return DeviceKind::cpu; }
  std::string description() const override;
  Buffer allocate(std::size_t bytes, MemoryKind kind) override;
  std::unique_ptr<Stream> make_stream(const std::string& name) override;
  std::unique_ptr<Event> make_event() override;
  void copy(Stream& stream, void* to, const void* from, std::size_t bytes) override;
  void zero(Stream& stream, void* data, std::size_t bytes) override;
  /// Buffers made by this device plus growths of the kernels' scratch (those of the whole process).
  std::int64_t allocations() const override;
  /// The kernels' scratch is not in it.
  std::size_t allocated_bytes(MemoryKind kind) const override;
  /// Not a data sheet's figure: the best of many short oneDNN matrix products in this dtype on this device's threads,
  /// measured at the first call (about 0.2 s; call it while nothing else runs) and remembered for the process. Dtypes
  /// but bf16 count as fp32.
  double peak_flops(Dtype dtype) const override;

  int threads() const { return options_.threads; }

 private:
  void free(void* data, std::size_t bytes, MemoryKind kind) noexcept override;

  const CpuOptions options_;
  std::atomic<std::int64_t> allocations_{0};
  std::array<std::atomic<std::size_t>, 2> allocated_bytes_{};  // by MemoryKind
};

}  // namespace trireme::cpu
