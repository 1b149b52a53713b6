// SPDX-License-Identifier: Apache-2.0
// Times of points in a stream's work, by the device's own clock.
#pragma once

#include <cstddef>
#include <memory>

#include "core/base/device.h"

namespace trireme {

class StreamClock {
 public:
  virtual ~StreamClock() = default;
  /// Marks the end of what has been enqueued so far, and returns the mark's number: 0, 1, 2, ...
  virtual std::size_t mark(Stream& stream) = 0;
  /// Between two marks of one stream, which has been synchronized since.
  virtual double seconds(std::size_t from, std::size_t to) const = 0;
  /// Forgets all marks; the next one is 0. After the streams have been synchronized.
  virtual void clear() = 0;
};

std::unique_ptr<StreamClock> make_cpu_clock();
/// Throws Error(usage) in a build without CUDA.
std::unique_ptr<StreamClock> make_cuda_clock();

}  // namespace trireme
