// SPDX-License-Identifier: Apache-2.0
// The device that tests run on: the CPU, or with TRIREME_TEST_DEVICE=cuda in the environment the first GPU.
#pragma once

#include <memory>
#include <string>

#include "kernels/kernels.h"

namespace trireme {

/// Whether the environment asks for the GPU. All tests of the program are skipped where it does and there is none, or
/// fewer than the TRIREME_TEST_GPUS of the environment.
bool tests_on_cuda();
/// A GPU as a device has all its memory on the host, so that tests read and write it as they do on the CPU.
std::unique_ptr<Device> make_test_device(const CpuOptions& options);
/// A folder for what a GPU measures, this process's own; removed at its end.
std::string test_cache();
/// The GPU of this index with memory of its own, as in earnest.
std::unique_ptr<Device> make_test_gpu(int index);
std::unique_ptr<Ops> make_test_ops(Device& device);

}  // namespace trireme
