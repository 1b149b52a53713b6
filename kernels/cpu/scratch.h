// SPDX-License-Identifier: Apache-2.0
// Working memory of the kernels: one growing block a thread, kept until the thread ends, so that a step that repeats
// allocates nothing.
#pragma once

#include <cstddef>
#include <cstdint>

namespace trireme::cpu {

/// At least `bytes` of the calling thread's scratch, aligned to 256 and not initialised. The next call from the same
/// thread returns the same memory. Throws Error when there is none.
void* thread_scratch(std::size_t bytes);

/// How often any thread's scratch had to grow, in the whole process.
std::int64_t scratch_allocations();

}  // namespace trireme::cpu
