// SPDX-License-Identifier: Apache-2.0
// Which of several ways to enqueue the same work is the fastest, measured on the stream.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>

#include "kernels/cuda/stream.h"

namespace trireme::cuda {

struct Winner {
  std::size_t index;
  double seconds;
};

/// Runs the `count` alternatives in turns until a few are left, then each of these for tens of milliseconds on end, in
/// turns, on a chip under load. Another one than the first is returned only where it was faster by 2 % in every round.
/// enqueue(i) says whether the i-th could be enqueued; nothing is returned when none could. Waits for the stream.
std::optional<Winner> fastest_of(CudaStream& stream, std::size_t count,
                                 const std::function<bool(std::size_t)>& enqueue);

}  // namespace trireme::cuda
