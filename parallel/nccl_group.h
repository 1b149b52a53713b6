// SPDX-License-Identifier: Apache-2.0
// Groups of ranks that have a GPU each: tensors go over NCCL, host calls over MPI.
#pragma once

#include <memory>

#include "core/base/group.h"
#include "parallel/parallel.h"

namespace trireme {

/// The ranks of `host`, the lowest of which is rank `first` of the world, on the current CUDA device of the calling
/// thread; observed (parallel/observed_group.h) on the board of the process. Each stream gets a communicator of its own
/// at its first collective, which is for all ranks in the same order as their calls are. In a build without CUDA:
/// throws Error(usage). Destroyed by all ranks together; while an exception is in flight, its communicators are
/// aborted.
std::unique_ptr<Group> make_nccl_group(std::unique_ptr<Group> host, const NcclOptions& options, int first);

}  // namespace trireme
