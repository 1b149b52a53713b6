// SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/test_device.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string_view>

namespace trireme {
namespace {

class GpuPresent : public testing::Environment {
 public:
  void SetUp() override {
    if (tests_on_cuda() && cuda_device_count() == 0) GTEST_SKIP() << "TRIREME_TEST_DEVICE=cuda, and there is no GPU";
  }
};

[[maybe_unused]] const testing::Environment* const gpu_present = testing::AddGlobalTestEnvironment(new GpuPresent);

}  // namespace

bool tests_on_cuda() {
  const char* wanted = std::getenv("TRIREME_TEST_DEVICE");
  return wanted != nullptr && std::string_view(wanted) == "cuda";
}

std::unique_ptr<Device> make_test_device(const CpuOptions& options) {
  return tests_on_cuda() ? make_cuda_device({.index = 0, .deterministic_attention = true, .host_memory = true})
                         : make_cpu_device(options);
}

std::unique_ptr<Ops> make_test_ops(Device& device) {
  return device.kind() == DeviceKind::cuda ? make_cuda_ops(device) : make_cpu_ops(device);
}

}  // namespace trireme
