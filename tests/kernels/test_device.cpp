// SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/test_device.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string_view>

namespace trireme {
namespace {

class GpuPresent : public testing::Environment {
 public:
  void SetUp() override {
    if (!tests_on_cuda()) return;
    const char* needed = std::getenv("TRIREME_TEST_GPUS");
    const int gpus = needed == nullptr ? 1 : std::atoi(needed);
    if (cuda_device_count() < gpus) {
      GTEST_SKIP() << "this test on GPUs needs " << gpus << ", and there are " << cuda_device_count();
    }
  }
};

[[maybe_unused]] const testing::Environment* const gpu_present = testing::AddGlobalTestEnvironment(new GpuPresent);

}  // namespace

std::string test_cache() {
  const std::string folder = ::testing::TempDir() + "trireme-products-" + std::to_string(getpid());
  static const struct Removal {
    std::string folder;
    ~Removal() {
      std::error_code ignored;
      std::filesystem::remove_all(folder, ignored);
    }
  } removal{folder};
  return folder;
}

bool tests_on_cuda() {
  const char* wanted = std::getenv("TRIREME_TEST_DEVICE");
  return wanted != nullptr && std::string_view(wanted) == "cuda";
}

std::unique_ptr<Device> make_test_device(const CpuOptions& options) {
  return tests_on_cuda() ? make_cuda_device({.index = 0,
                                             .deterministic = Determinism::always,
                                             .host_memory = true,
                                             .products = ProductChoice::measured,
                                             .cache = test_cache()})
                         : make_cpu_device(options);
}

std::unique_ptr<Device> make_test_gpu(int index) {
  return make_cuda_device({.index = index, .deterministic = Determinism::always, .cache = {}});
}

std::unique_ptr<Ops> make_test_ops(Device& device) {
  return device.kind() == DeviceKind::cuda ? make_cuda_ops(device) : make_cpu_ops(device);
}

}  // namespace trireme
