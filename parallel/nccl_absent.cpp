// SPDX-License-Identifier: Apache-2.0
// What a build without CUDA answers in place of nccl_group.cpp.
#include "core/base/error.h"
#include "parallel/nccl_group.h"

namespace trireme {

std::unique_ptr<Group> make_nccl_group(std::unique_ptr<Group> /*host*/, const NcclOptions& /*options*/, int /*first*/) {
  fail_usage("this binary was built without NCCL: build the preset cuda, or ask for device: cpu");
}

}  // namespace trireme
