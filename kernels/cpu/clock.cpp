// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <deque>

#include "kernels/stream_clock.h"

namespace trireme {
namespace {

/// The stream itself looks at the host's clock.
class CpuClock : public StreamClock {
 public:
  std::size_t mark(Stream& stream) override {
    times_.emplace_back();
    stream.call([at = &times_.back()] { *at = std::chrono::steady_clock::now(); });
    return times_.size() - 1;
  }
  double seconds(std::size_t from, std::size_t to) const override {
    return std::chrono::duration<double>(times_.at(to) - times_.at(from)).count();
  }
  void clear() override { times_.clear(); }

 private:
  std::deque<std::chrono::steady_clock::time_point> times_;  // stay where they are
};

}  // namespace

std::unique_ptr<StreamClock> make_cpu_clock() { return std::make_unique<CpuClock>(); }

}  // namespace trireme
