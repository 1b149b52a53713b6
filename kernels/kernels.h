// SPDX-License-Identifier: Apache-2.0
// The kernels wing's public header: devices and the operations on them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/base/device.h"
#include "core/base/ops.h"
#include "kernels/dry/device.h"
#include "kernels/dry/machine.h"
#include "kernels/measured_ops.h"
#include "kernels/stream_clock.h"

namespace trireme {

struct CpuOptions {
  int threads = 1;              // of each operation
  bool inline_streams = false;  // run work at once in the caller instead of on a queue with a thread of its own
};

/// The host's cores. Streams are real queues on threads, so that a missing event wait is a data race that a sanitizer
/// reports.
std::unique_ptr<Device> make_cpu_device(const CpuOptions& options);
/// Operations on a CPU device (oneDNN for matrix products). The device outlives them.
std::unique_ptr<Ops> make_cpu_ops(Device& device);

/// A machine that counts instead of computing. Collectives take time on its streams through Stream::pass_time().
std::unique_ptr<DryDevice> make_dry_device(const Machine& machine);
/// Bytes that could be allocated now: of a GPU's memory; of the host's, within what its control groups leave to this
/// process, and with all other processes of the node; of a dry device's, beside what its machine reserves.
std::int64_t available_bytes(const Device& device);

/// How a matrix product's algorithm is chosen: the first that the library proposes, or the fastest when tried once.
enum class ProductChoice { heuristic, measured };

/// Whether attention's backward pass has the same bits on every run; all else has. automatic: for sequences of at most
/// kRepeatsTo tokens, where it costs no more than 1.3 % of a step; at 4096 it costs 4.2 % (GPT-2 and Llama on an H200).
enum class Determinism { automatic, always, never };
inline constexpr std::int64_t kRepeatsTo = 2048;

/// Operations on a dry device, which outlives them.
std::unique_ptr<Ops> make_dry_ops(Device& device, Determinism deterministic = Determinism::automatic);

struct CudaOptions {
  int index = 0;  // of the GPU among those that this process sees
  Determinism deterministic = Determinism::automatic;
  bool host_memory = false;  // take all memory from the host, where the GPU reaches it slowly and tests can look at it
  ProductChoice products = ProductChoice::heuristic;
  /// The folder that keeps what was measured, for the next start; without one, and where it cannot be written, products
  /// are heuristic: the same command has the same bits.
  std::string cache;
};

/// How many GPUs this process can use: 0 without a driver, and in a build without CUDA.
int cuda_device_count();
/// The PCI address of one of them, "0000:1b:00.0", by which processes know that they mean the same one.
std::string cuda_device_address(int index);
/// Free memory of a CUDA device, and all that it has but what its driver keeps.
std::int64_t cuda_available_bytes(const Device& device);
std::int64_t cuda_total_bytes(const Device& device);
/// One GPU. Throws Error(usage) where there is none of this index, and in a build without CUDA.
std::unique_ptr<Device> make_cuda_device(const CudaOptions& options);
/// Operations on a CUDA device (cuBLASLt, cuDNN and own kernels). The device outlives them.
std::unique_ptr<Ops> make_cuda_ops(Device& device);

}  // namespace trireme
