// SPDX-License-Identifier: Apache-2.0
// What a plan must know of a machine: sizes, speeds, and how much of each speed real kernels reach.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace trireme {

/// One accelerator and the links around it. Bandwidths of links count one direction.
struct Machine {
  std::string name;
  std::int64_t memory_bytes = 0;
  std::int64_t reserved_bytes = 0;     // of these, what a plan leaves free
  bool scratch = false;                // operations take memory beside their tensors, as in kernels/scratch.h
  double bf16_flops_per_second = 0.0;  // dense peak
  double fp32_flops_per_second = 0.0;
  double memory_bytes_per_second = 0.0;
  double host_bytes_per_second = 0.0;  // between pinned and device memory
  double launch_seconds = 0.0;         // of every operation
  std::int64_t ranks_per_node = 1;

  /// Device memory that libraries take for themselves, in bytes.
  struct Libraries {
    std::int64_t opening = 0;      // of a process that has opened the device
    std::int64_t operations = 0;   // once its operations have run: their kernels and handles
    std::int64_t collectives = 0;  // once it has a communicator
    std::int64_t channel = 0;      // of every channel of every communicator
    int channels = 0;              // of a communicator that is held to no number
  };
  Libraries libraries{};

  struct Link {
    double bytes_per_second = 0.0;  // of one accelerator, one direction
    double message_seconds = 0.0;
    double fill_seconds = 0.0;  // how much longer a long collective takes than its bytes: the link's pipeline fills
    double fill_bytes = 0.0;    // one of so many bytes: half of it
  };
  Link within_node{};
  Link between_nodes{};
  double collective_seconds = 0.0;  // of every collective, whatever its size

  /// Of rows of T tokens and heads of K, attention reaches most * T / (T + time) * K / (K + size): of a row of tiles
  /// the one on the diagonal is half in vain, and each score has an exponential however many products it takes.
  struct Attention {
    double most = 1.0;
    double time = 0.0;
    double size = 0.0;
  };
  /// The part of a peak that is reached.
  struct Fractions {
    double product = 1.0;  // matrix products
    Attention attention{};
    Attention attention_backward{};  // counting the scores that it computes again
    double memory = 1.0;
    double within_node = 1.0;
    double between_nodes = 1.0;
    /// Operations that do not reach `memory`, for they wait for sums or for arithmetic.
    std::span<const std::pair<std::string_view, double>> operations{};
    /// What operations lose in each second in which a collective of another stream takes multiprocessors and memory.
    double beside_collectives = 0.0;
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
