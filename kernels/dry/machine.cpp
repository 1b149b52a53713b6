// SPDX-License-Identifier: Apache-2.0
#include "kernels/dry/machine.h"

#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "core/base/error.h"
#include "kernels/kernels.h"

namespace trireme {
namespace {

constexpr std::array<std::string_view, 5> kNames = {"a100", "b200", "cpu", "h100", "h200"};
constexpr std::int64_t kMib = std::int64_t{1} << 20;
constexpr std::int64_t kGib = std::int64_t{1} << 30;

// What operations reach within training steps, not alone: all of it under the limit of power. Of the memory's speed,
// `trireme bench ops` (H200, 700 W, bf16, CUDA 13.0, cuDNN 9.19, 2026-11-22):
constexpr std::array<std::pair<std::string_view, double>, 12> kOperations = {{{"cross_entropy", 0.68},
                                                                              {"embedding", 0.75},
                                                                              {"embedding_backward", 0.38},
                                                                              {"gelu", 0.83},
                                                                              {"gelu_backward", 0.62},
                                                                              {"layer_norm", 0.70},
                                                                              {"layer_norm_backward", 0.49},
                                                                              {"rms_norm", 0.78},
                                                                              {"rms_norm_backward", 0.59},
                                                                              {"rope", 0.80},
                                                                              {"squared_norm", 0.80},
                                                                              {"swiglu", 0.80}}};
// By the same command: all products of a step together reach 0.70 (GPT-2 1558M) and 0.72 (Llama-3.2-1B) of the peak;
// attention (cuDNN) by sequences of 1024 to 32,768 tokens with heads of 64 and of 128. memory: a copy, 4.1 of 4.8 TB/s.
// `trireme bench collectives` over two ranks, 1 MiB to 1 GiB: within_node, and the links below. beside_collectives:
// between what two replicas of 1558M lose against one rank (0.4), and two shards (1.0). between_nodes is assumed, not
// measured. Other accelerators are taken to reach the same parts of their peaks.
constexpr Machine::Fractions kReached{.product = 0.72,
                                      .attention = {.most = 0.98, .time = 600, .size = 75},
                                      .attention_backward = {.most = 0.725, .time = 1000, .size = 55},
                                      .memory = 0.86,
                                      .within_node = 0.70,
                                      .between_nodes = 0.80,
                                      .operations = kOperations,
                                      .beside_collectives = 0.6};

// What a GPU holds beyond what Trireme allocates: `trireme bench step --json` (memory_held_at), the same day and card.
// Those of NCCL (2.28, two ranks) by the differences between replicas, shards and --channels 8.
constexpr Machine::Libraries kLibraries{
    .opening = 527 * kMib, .operations = 23 * kMib, .collectives = 350 * kMib, .channel = 20 * kMib, .channels = 24};

// Memory is what drivers report, rounded down. Assumed: the time of a message. launch_seconds is also the pause that an
// operation's first and last thread blocks leave: the shortest ones take 6 to 8 us.
Machine gpu(std::string name, std::int64_t memory_gib, double bf16_tflops, double fp32_tflops, double memory_tb,
            double within_gb, double between_gb) {
  return {.name = std::move(name),
          .memory_bytes = memory_gib * kGib,
          .reserved_bytes = kGib / 2,
          .scratch = true,
          .bf16_flops_per_second = bf16_tflops * 1e12,
          .fp32_flops_per_second = fp32_tflops * 1e12,
          .memory_bytes_per_second = memory_tb * 1e12,
          .host_bytes_per_second = 25e9,
          .launch_seconds = 5e-6,
          .ranks_per_node = 8,
          .libraries = kLibraries,
          .within_node = {.bytes_per_second = within_gb * 1e9,
                          .message_seconds = 2e-6,
                          .fill_seconds = 85e-6,
                          .fill_bytes = 32.0 * kMib},
          .between_nodes = {.bytes_per_second = between_gb * 1e9, .message_seconds = 5e-6},
          .collective_seconds = 50e-6,
          .reached = kReached};
}

/// Bytes read and written per second by copies of 64 MiB, the best of a few.
double measure_memory_bandwidth(Device& device) {
  constexpr std::size_t kBytes = std::size_t{64} << 20U;
  const Buffer from = device.allocate(kBytes);
  const Buffer to = device.allocate(kBytes);
  const auto stream = device.make_stream("bandwidth");
  double best = 0.0;
  for (int i = 0; i < 4; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    device.copy(*stream, to.data(), from.data(), kBytes);
    stream->synchronize();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    best = std::max(best, 2.0 * static_cast<double>(kBytes) / took.count());
  }
  return best;
}

Machine this_host(int threads) {
  const auto device = make_cpu_device({.threads = threads});
  const double memory = measure_memory_bandwidth(*device);
  const long pages = sysconf(_SC_PHYS_PAGES);
  // Groups over MPI copy through shared memory: about a quarter of the bandwidth, and a thread's wake-up a message.
  return {.name = "cpu",
          .memory_bytes = std::int64_t{pages} * sysconf(_SC_PAGESIZE),
          .bf16_flops_per_second = device->peak_flops(Dtype::bf16),
          .fp32_flops_per_second = device->peak_flops(Dtype::f32),
          .memory_bytes_per_second = memory,
          .host_bytes_per_second = memory / 2,
          .launch_seconds = 5e-6,
          .ranks_per_node = 1 << 20,
          .within_node = {.bytes_per_second = memory / 4, .message_seconds = 20e-6},
          .between_nodes = {.bytes_per_second = 1e9, .message_seconds = 50e-6},
          .collective_seconds = 20e-6,
          .reached = {}};
}

}  // namespace

std::span<const std::string_view> machine_names() { return kNames; }

Machine find_machine(std::string_view name, int threads) {
  // Dense peaks, memory and link bandwidths are the vendor's data sheets' (SXM boards, one network card of 200 Gb/s
  // for each A100 and of 400 Gb/s for the others).
  if (name == "a100") return gpu("a100", 79, 312.0, 19.5, 2.039, 300.0, 25.0);
  if (name == "h100") return gpu("h100", 79, 989.4, 66.9, 3.35, 450.0, 50.0);
  if (name == "h200") return gpu("h200", 139, 989.4, 66.9, 4.8, 450.0, 50.0);
  if (name == "b200") return gpu("b200", 178, 2250.0, 75.0, 8.0, 900.0, 50.0);
  if (name == "cpu") return this_host(threads);
  fail_usage("no machine '{}' in the table; there are {}", name, fmt::join(kNames, ", "));
}

}  // namespace trireme
