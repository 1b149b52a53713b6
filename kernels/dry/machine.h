// SPDX-License-Identifier: Apache-2.0
// What a plan must know of a machine: sizes, speeds, and how much of each speed real kernels reach.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace trireme {

/// One accelerator and the links around it. Bandwidths of links count one direction.
struct Machine {
  std::string name;
  std::int64_t memory_bytes = 0;
  std::int64_t reserved_bytes = 0;     // of these, what driver, libraries and their workspaces take
  double bf16_flops_per_second = 0.0;  // dense peak
  double fp32_flops_per_second = 0.0;
  double memory_bytes_per_second = 0.0;
  double host_bytes_per_second = 0.0;  // between pinned and device memory
  double launch_seconds = 0.0;         // of every operation
  std::int64_t ranks_per_node = 1;

  struct Link {
    double bytes_per_second = 0.0;  // of one accelerator, one direction
    double message_seconds = 0.0;
  };
  Link within_node{};
  Link between_nodes{};
  double collective_seconds = 0.0;  // of every collective, whatever its size

  /// The part of a peak that is reached.
  struct Fractions {
    double product = 1.0;             // matrix products
    double attention = 1.0;           // forward
    double attention_backward = 1.0;  // counting the scores that it computes again
    double memory = 1.0;
    double within_node = 1.0;
    double between_nodes = 1.0;
  } reached{};
};

/// Device::many_rows() of accelerators: their arithmetic is several hundred times as fast as their memory.
inline constexpr std::int64_t kAcceleratorRows = 8192;

/// The accelerators that the table holds: "h100", "h200", ...
std::span<const std::string_view> machine_names();
/// One of the table, or "cpu": this host, its peak of matrix products and its memory bandwidth measured now with
/// `threads` threads (about half a second). Throws Error(usage) that lists the names for another one.
Machine find_machine(std::string_view name, int threads);

}  // namespace trireme
