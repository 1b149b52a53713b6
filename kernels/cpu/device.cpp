// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/device.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <map>
#include <mutex>
#include <utility>

#include "core/base/error.h"
#include "kernels/cpu/available_memory.h"
#include "kernels/cpu/matmul.h"
#include "kernels/cpu/scratch.h"
#include "kernels/cpu/stream.h"

namespace trireme {
namespace cpu {
namespace {

constexpr std::size_t kAlignment = 256;
constexpr std::size_t kHugePage = std::size_t{1} << 21U;
constexpr std::int64_t kBlock = std::int64_t{1} << 20U;  // bytes a thread copies or zeroes at a time

std::string processor_name() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("model name")) {
      const std::size_t at = line.find(": ");
      if (at != std::string::npos) return line.substr(at + 2);
    }
  }
  return "CPU";
}

template <class F>
void by_blocks(std::size_t bytes, int threads, const F& work) {
  const auto total = static_cast<std::int64_t>(bytes);
  const std::int64_t blocks = (total + kBlock - 1) / kBlock;
#pragma omp parallel for schedule(static) num_threads(threads) if (blocks > 1)
  for (std::int64_t block = 0; block < blocks; ++block) {
    work(block * kBlock, static_cast<std::size_t>(std::min(kBlock, total - block * kBlock)));
  }
}

}  // namespace

CpuDevice::CpuDevice(const CpuOptions& options) : options_(options) {
  check_usage(options.threads >= 1, "threads = {}: a CPU device needs at least 1", options.threads);
}

std::string CpuDevice::description() const {
  return fmt::format("{}, {} thread{}", processor_name(), threads(), threads() == 1 ? "" : "s");
}

Buffer CpuDevice::allocate(std::size_t bytes, MemoryKind kind) {
  if (bytes == 0) return {};
  const std::size_t available = available_memory();
  const std::size_t alignment = bytes >= 2 * kHugePage ? kHugePage : kAlignment;
  void* data = nullptr;
  if (bytes <= available && bytes <= std::numeric_limits<std::size_t>::max() - alignment) {
    data = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  }
  check(data != nullptr,
        "cannot allocate {} bytes of host memory: {} bytes are free; use a smaller model or micro-batch", bytes,
        available);
  // Large pages spare the matrix products most of their address misses; where the system has none this does nothing.
  if (alignment == kHugePage) madvise(data, bytes, MADV_HUGEPAGE);
  auto* begin = static_cast<std::byte*>(data);
  by_blocks(bytes, threads(), [begin](std::int64_t at, std::size_t count) { std::memset(begin + at, 0, count); });
  allocations_.fetch_add(1, std::memory_order_relaxed);
  allocated_bytes_.at(static_cast<std::size_t>(kind)).fetch_add(bytes, std::memory_order_relaxed);
  return {*this, data, bytes, kind};
}

void CpuDevice::free(void* data, std::size_t bytes, MemoryKind kind) noexcept {
  std::free(data);
  allocated_bytes_[static_cast<std::size_t>(kind)].fetch_sub(bytes, std::memory_order_relaxed);
}

std::unique_ptr<Stream> CpuDevice::make_stream(const std::string& name) {
  return std::make_unique<CpuStream>(name, options_.inline_streams);
}

std::unique_ptr<Event> CpuDevice::make_event() { return std::make_unique<CpuEvent>(); }

void CpuDevice::copy(Stream& stream, void* to, const void* from, std::size_t bytes) {
  static_cast<CpuStream&>(stream).enqueue([to, from, bytes, threads = threads()] {
    by_blocks(bytes, threads, [to, from](std::int64_t at, std::size_t count) {
      std::memcpy(static_cast<std::byte*>(to) + at, static_cast<const std::byte*>(from) + at, count);
    });
  });
}

void CpuDevice::zero(Stream& stream, void* data, std::size_t bytes) {
  static_cast<CpuStream&>(stream).enqueue([data, bytes, threads = threads()] {
    by_blocks(bytes, threads, [data](std::int64_t at, std::size_t count) {
      std::memset(static_cast<std::byte*>(data) + at, 0, count);
    });
  });
}

std::int64_t CpuDevice::allocations() const {
  return allocations_.load(std::memory_order_relaxed) + scratch_allocations();
}

std::size_t CpuDevice::allocated_bytes(MemoryKind kind) const {
  return allocated_bytes_.at(static_cast<std::size_t>(kind)).load(std::memory_order_relaxed);
}

double CpuDevice::peak_flops(Dtype dtype) const {
  static std::mutex mutex;
  static std::map<std::pair<Dtype, int>, double> peaks;
  const std::lock_guard lock(mutex);
  const Dtype measured = dtype == Dtype::bf16 ? Dtype::bf16 : Dtype::f32;
  double& peak = peaks[{measured, threads()}];
  if (peak == 0.0) peak = measure_matmul_flops(measured, threads());
  return peak;
}

}  // namespace cpu

std::unique_ptr<Device> make_cpu_device(const CpuOptions& options) { return std::make_unique<cpu::CpuDevice>(options); }

}  // namespace trireme
