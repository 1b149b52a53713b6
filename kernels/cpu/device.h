// SPDX-License-Identifier: Apache-2.0
// The CPU as a device: host memory, queues on threads, and a measured peak.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
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
  /// Not a data sheet's figure: the best of a few oneDNN matrix products of 1024 x 1024 x 1024 in this dtype on this
  /// device's threads, measured at the first call (about 50 ms) and remembered. Dtypes but bf16 count as fp32.
  double peak_flops(Dtype dtype) const override;

  int threads() const { return options_.threads; }

 private:
  void free(void* data, std::size_t bytes, MemoryKind kind) noexcept override;

  const CpuOptions options_;
  std::atomic<std::int64_t> allocations_{0};
  mutable std::mutex peak_mutex_;
  mutable double peak_f32_ = 0.0;
  mutable double peak_bf16_ = 0.0;
};

}  // namespace trireme::cpu
