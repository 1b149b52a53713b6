// SPDX-License-Identifier: Apache-2.0
#include "kernels/dry/device.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "core/base/error.h"
#include "kernels/dry/stream.h"
#include "kernels/kernels.h"
#include "kernels/scratch.h"

namespace trireme {
namespace {

constexpr std::size_t kAlignment = 256;
// Beyond every address that a system hands out (48 bits, or 52), and below those that ignore the top byte.
constexpr std::size_t kFirstAddress = std::size_t{1} << 54U;

bool is_device_memory(const void* data) { return reinterpret_cast<std::size_t>(data) >= kFirstAddress; }

}  // namespace

double DryCounts::flops() const {
  double sum = 0.0;
  for (const auto& [kind, counts] : operations) sum += counts.flops;
  return sum;
}

double DryCounts::product_flops() const {
  double sum = 0.0;
  for (const auto& [kind, counts] : operations) sum += counts.product ? counts.flops : 0.0;
  return sum;
}

double DryCounts::bytes() const {
  double sum = 0.0;
  for (const auto& [kind, counts] : operations) sum += counts.bytes;
  return sum;
}

Buffer DryDevice::allocate(std::size_t bytes, MemoryKind kind) {
  if (bytes == 0) return {};
  void* data = nullptr;
  if (kind == MemoryKind::pinned) {
    const std::size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    if (rounded >= bytes) data = std::aligned_alloc(kAlignment, rounded);
    check(data != nullptr, "cannot allocate {} bytes of host memory", bytes);
    std::memset(data, 0, rounded);
  } else {
    check(bytes <= kFirstAddress - reserved_ - kAlignment,
          "{} bytes in all are more than a plan can hold; use a smaller model or micro-batch", bytes);
    data = reinterpret_cast<void*>(kFirstAddress + reserved_);    // NOLINT(performance-no-int-to-ptr): never touched
    reserved_ += (bytes + kAlignment) / kAlignment * kAlignment;  // a gap of up to 256 bytes between neighbours
  }
  Memory& memory = kind == MemoryKind::pinned ? pinned_ : device_;
  memory.bytes += bytes;
  memory.peak = std::max(memory.peak, memory.bytes);
  ++allocations_;
  return {*this, data, bytes, kind};
}

void DryDevice::free(void* data, std::size_t bytes, MemoryKind kind) noexcept {
  if (kind == MemoryKind::pinned) std::free(data);
  (kind == MemoryKind::pinned ? pinned_ : device_).bytes -= bytes;
}

std::unique_ptr<Stream> DryDevice::make_stream(const std::string& name) {
  streams_.push_back(std::make_shared<StreamTimes>(StreamTimes{.name = name}));
  return std::make_unique<dry::DryStream>(*this, streams_.back(), collectives_);
}

std::unique_ptr<Event> DryDevice::make_event() { return std::make_unique<dry::DryEvent>(); }

void DryDevice::copy(Stream& stream, void* to, const void* from, std::size_t bytes) {
  const auto size = static_cast<double>(bytes);
  if (is_device_memory(to) && is_device_memory(from)) {
    operate(stream, "copy", 0.0, 2.0 * size, 0.0, false);
    return;
  }
  if (!is_device_memory(to) && !is_device_memory(from)) std::memmove(to, from, bytes);
  operate(stream, "host_copy", 0.0, size, size / machine_.host_bytes_per_second, false);
}

void DryDevice::zero(Stream& stream, void* data, std::size_t bytes) {
  if (!is_device_memory(data)) std::memset(data, 0, bytes);
  operate(stream, "zero", 0.0, static_cast<double>(bytes), 0.0, false);
}

std::int64_t DryDevice::many_rows() const {
  constexpr double kAccelerates = 50e12;
  return machine_.bf16_flops_per_second > kAccelerates ? kAcceleratorRows : Device::many_rows();
}

double DryDevice::peak_flops(Dtype dtype) const {
  return dtype == Dtype::bf16 ? machine_.bf16_flops_per_second : machine_.fp32_flops_per_second;
}

DryCounts DryDevice::counts() const {
  DryCounts counts{.operations = operations_, .streams = {}};
  for (const auto& times : streams_) counts.streams.push_back(*times);
  return counts;
}

void DryDevice::clear_counts() {
  operations_.clear();
  for (const auto& times : streams_) *times = {.name = times->name, .now_seconds = times->now_seconds};
}

void DryDevice::take_scratch(Stream& stream, std::size_t bytes) {
  if (machine_.scratch) scratch_ += static_cast<dry::DryStream&>(stream).grow_scratch(std::max(bytes, kLeastScratch));
}

void DryDevice::operate(Stream& stream, std::string_view operation, double flops, double bytes, double seconds,
                        bool product) {
  const auto slower = std::ranges::find(machine_.reached.operations, operation, [](const auto& o) { return o.first; });
  const double part = slower == machine_.reached.operations.end() ? machine_.reached.memory : slower->second;
  const double moving = bytes / (machine_.memory_bytes_per_second * part);
  const double alone = machine_.launch_seconds + std::max(seconds, moving);
  const double total = collectives_->stretched(static_cast<dry::DryStream&>(stream).now(), alone);
  auto found = operations_.find(operation);
  if (found == operations_.end()) found = operations_.emplace(operation, OperationCounts{.product = product}).first;
  OperationCounts& counts = found->second;
  counts.calls += 1;
  counts.flops += flops;
  counts.bytes += bytes;
  counts.seconds += total;
  static_cast<dry::DryStream&>(stream).operate(total);
}

DryDevice::DryDevice(Machine machine)
    : machine_(std::move(machine)),
      collectives_(std::make_shared<dry::Collectives>(machine_.reached.beside_collectives)) {}

std::unique_ptr<DryDevice> make_dry_device(const Machine& machine) { return std::make_unique<DryDevice>(machine); }

}  // namespace trireme
