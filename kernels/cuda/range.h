// SPDX-License-Identifier: Apache-2.0
// Names on a profiler's time line, where the toolkit has the headers of NVTX; nothing where it has not.
#pragma once

#if __has_include(<nvtx3/nvToolsExt.h>)
#include <nvtx3/nvToolsExt.h>
#endif

namespace trireme::cuda {

/// What the host enqueues while this lives is shown under its name. Costs nanoseconds when no profiler listens.
class Range {
 public:
#if __has_include(<nvtx3/nvToolsExt.h>)
  explicit Range(const char* name) { nvtxRangePushA(name); }
  ~Range() { nvtxRangePop(); }
#else
  explicit Range(const char* /*name*/) {}
  ~Range() = default;
#endif
  Range(const Range&) = delete;
  Range& operator=(const Range&) = delete;
};

}  // namespace trireme::cuda
