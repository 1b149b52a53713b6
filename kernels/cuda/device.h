// SPDX-License-Identifier: Apache-2.0
// One GPU as a device.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "core/base/device.h"
#include "kernels/kernels.h"

namespace trireme::cuda {

class CudaDevice : public Device {
 public:
  explicit CudaDevice(const CudaOptions& options);

  DeviceKind kind() const override { return DeviceKind::cuda; }
  std::string description() const override;
  Buffer allocate(std::size_t bytes, MemoryKind kind) override;
  std::unique_ptr<Stream> make_stream(const std::string& name) override;
  std::unique_ptr<Event> make_event() override;
  void copy(Stream& stream, void* to, const void* from, std::size_t bytes) override;
  void zero(Stream& stream, void* data, std::size_t bytes) override;
  std::int64_t allocations() const override { return allocations_.load(std::memory_order_relaxed); }
  std::size_t allocated_bytes(MemoryKind kind) const override { return held(kind).load(std::memory_order_relaxed); }
  /// By the data sheet of the GPU's generation; Error for one that the table does not know.
  double peak_flops(Dtype dtype) const override;
  std::int64_t many_rows() const override { return kAcceleratorRows; }

  const CudaOptions& options() const { return options_; }
  /// The GPU's, with its number of multiprocessors: a part of one is another machine.
  std::string name() const { return name_ + "-" + std::to_string(multiprocessors_); }

 private:
  void free(void* data, std::size_t bytes, MemoryKind kind) noexcept override;

  const std::atomic<std::size_t>& held(MemoryKind kind) const { return kind == MemoryKind::pinned ? pinned_ : device_; }
  std::atomic<std::size_t>& held(MemoryKind kind) { return kind == MemoryKind::pinned ? pinned_ : device_; }

  const CudaOptions options_;
  std::string name_;
  std::size_t memory_ = 0;
  int multiprocessors_ = 0;
  std::atomic<std::int64_t> allocations_{0};
  std::atomic<std::size_t> device_{0}, pinned_{0};  // bytes held
};

}  // namespace trireme::cuda
