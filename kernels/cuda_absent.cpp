// SPDX-License-Identifier: Apache-2.0
// What a build without CUDA answers in place of kernels/cuda.
#include "core/base/error.h"
#include "kernels/kernels.h"

namespace trireme {

int cuda_device_count() { return 0; }

std::string cuda_device_address(int /*index*/) { return ""; }

std::int64_t cuda_available_bytes(const Device& /*device*/) { return 0; }
std::int64_t cuda_total_bytes(const Device& /*device*/) { return 0; }

std::unique_ptr<Device> make_cuda_device(const CudaOptions& /*options*/) {
  fail_usage("this binary was built without CUDA: build the preset cuda, or ask for device: cpu");
}

std::unique_ptr<Ops> make_cuda_ops(Device& device) {
  fail_usage("this binary was built without CUDA and has no CUDA operations for '{}': build the preset cuda",
             device.description());
}

std::unique_ptr<StreamClock> make_cuda_clock() {
  fail_usage("this binary was built without CUDA and has no clock for it: build the preset cuda");
}

}  // namespace trireme
