// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime.h>

#include <vector>

#include "kernels/cuda/check.h"
#include "kernels/cuda/stream.h"
#include "kernels/stream_clock.h"

namespace trireme {
namespace cuda {
namespace {

/// Events with times, kept for use again.
class CudaClock : public StreamClock {
 public:
  std::size_t mark(Stream& stream) override {
    if (used_ == events_.size()) {
      cudaEvent_t event = nullptr;
      check(cudaEventCreate(&event), "cannot make an event");
      events_.emplace_back(event);
    }
    check(cudaEventRecord(events_[used_].get(), static_cast<CudaStream&>(stream).handle()), "cannot record an event");
    return used_++;
  }
  double seconds(std::size_t from, std::size_t to) const override {
    float milliseconds = 0.0F;
    check(cudaEventElapsedTime(&milliseconds, events_.at(from).get(), events_.at(to).get()), "cannot read the clock");
    return static_cast<double>(milliseconds) * 1e-3;
  }
  void clear() override { used_ = 0; }

 private:
  std::vector<EventHandle> events_;
  std::size_t used_ = 0;
};

}  // namespace
}  // namespace cuda

std::unique_ptr<StreamClock> make_cuda_clock() { return std::make_unique<cuda::CudaClock>(); }

}  // namespace trireme
