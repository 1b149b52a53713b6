// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/device.h"

#include <cuda_runtime.h>

#include <array>
#include <cstring>
#include <utility>

#include "core/base/error.h"
#include "kernels/cuda/check.h"
#include "kernels/cuda/stream.h"

namespace trireme {
namespace cuda {
namespace {

/// Dense peaks in FLOP/s by the vendor's data sheets; names are compared by containment, in this order.
struct Peak {
  const char* name;
  double bf16, fp32;
};
constexpr std::array<Peak, 5> kPeaks = {{{"H200", 989.4e12, 66.9e12},
                                         {"H100 PCIe", 756.5e12, 51.2e12},
                                         {"H100", 989.4e12, 66.9e12},
                                         {"A100", 312e12, 19.5e12},
                                         {"B200", 2250e12, 75e12}}};

}  // namespace

CudaDevice::CudaDevice(const CudaOptions& options) : options_(options) {
  const int count = cuda_device_count();
  trireme::check_usage(options.index >= 0 && options.index < count, "CUDA device {} asked for, {} present",
                       options.index, count);
  check(cudaSetDevice(options.index), "cannot use the device");
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, options.index), "cannot ask the device");
  name_ = properties.name;
  memory_ = properties.totalGlobalMem;
  multiprocessors_ = properties.multiProcessorCount;
}

std::string CudaDevice::description() const {
  return fmt::format("{}, {:.0f} GiB, at {}", name_, static_cast<double>(memory_) / 0x1p30,
                     cuda_device_address(options_.index));
}

Buffer CudaDevice::allocate(std::size_t bytes, MemoryKind kind) {
  if (bytes == 0) return {};
  check(cudaSetDevice(options_.index), "cannot use the device");
  void* data = nullptr;
  const MemoryKind where = options_.host_memory ? MemoryKind::pinned : kind;
  if (where == MemoryKind::pinned) {
    const cudaError_t code = cudaMallocHost(&data, bytes);
    static_cast<void>(cudaGetLastError());  // the error is told here, not by the next launch
    trireme::check(code == cudaSuccess, "cannot allocate {} bytes of pinned host memory: {}", bytes,
                   cudaGetErrorString(code));
    std::memset(data, 0, bytes);
  } else {
    const cudaError_t code = cudaMalloc(&data, bytes);
    if (code != cudaSuccess) {
      static_cast<void>(cudaGetLastError());
      std::size_t available = 0;
      std::size_t total = 0;
      check(cudaMemGetInfo(&available, &total), "cannot ask for free memory");
      fail("cannot allocate {} bytes on {}: {} bytes are free; use a smaller model or micro-batch", bytes,
           description(), available);
    }
    check(cudaMemset(data, 0, bytes), "cannot zero new memory");
    check(cudaStreamSynchronize(nullptr), "cannot zero new memory");
  }
  allocations_.fetch_add(1, std::memory_order_relaxed);
  held(where).fetch_add(bytes, std::memory_order_relaxed);
  return {*this, data, bytes, where};
}

void CudaDevice::free(void* data, std::size_t bytes, MemoryKind kind) noexcept {
  held(kind).fetch_sub(bytes, std::memory_order_relaxed);
  static_cast<void>(kind == MemoryKind::pinned ? cudaFreeHost(data) : cudaFree(data));
}

std::unique_ptr<Stream> CudaDevice::make_stream(const std::string& name) {
  check(cudaSetDevice(options_.index), "cannot use the device");
  return std::make_unique<CudaStream>(*this, name);
}

std::unique_ptr<Event> CudaDevice::make_event() { return std::make_unique<CudaEvent>(); }

void CudaDevice::copy(Stream& stream, void* to, const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, static_cast<CudaStream&>(stream).handle()), "cannot copy");
}

void CudaDevice::zero(Stream& stream, void* data, std::size_t bytes) {
  if (bytes == 0) return;
  check(cudaMemsetAsync(data, 0, bytes, static_cast<CudaStream&>(stream).handle()), "cannot zero");
}

double CudaDevice::peak_flops(Dtype dtype) const {
  for (const Peak& peak : kPeaks) {
    if (name_.find(peak.name) != std::string::npos) return dtype == Dtype::bf16 ? peak.bf16 : peak.fp32;
  }
  fail("the peak of '{}' is not in the table of kernels/cuda/device.cpp: add it there", name_);
}

}  // namespace cuda

int cuda_device_count() {
  int count = 0;
  if (cudaGetDeviceCount(&count) == cudaSuccess) return count;
  static_cast<void>(cudaGetLastError());
  return 0;
}

std::string cuda_device_address(int index) {
  std::array<char, 32> address{};
  cuda::check(cudaDeviceGetPCIBusId(address.data(), static_cast<int>(address.size()), index),
              "cannot ask for a device's address");
  return address.data();
}

namespace {

/// Free, and in all.
std::pair<std::int64_t, std::int64_t> memory_of(const Device& device) {
  cuda::check(cudaSetDevice(static_cast<const cuda::CudaDevice&>(device).options().index), "cannot use the device");
  std::size_t available = 0;
  std::size_t total = 0;
  cuda::check(cudaMemGetInfo(&available, &total), "cannot ask for free memory");
  return {static_cast<std::int64_t>(available), static_cast<std::int64_t>(total)};
}

}  // namespace

std::int64_t cuda_available_bytes(const Device& device) { return memory_of(device).first; }
std::int64_t cuda_total_bytes(const Device& device) { return memory_of(device).second; }

std::unique_ptr<Device> make_cuda_device(const CudaOptions& options) {
  return std::make_unique<cuda::CudaDevice>(options);
}

}  // namespace trireme
