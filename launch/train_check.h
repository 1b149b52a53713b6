// SPDX-License-Identifier: Apache-2.0
// What `trireme train` says about a run without starting it: --describe and --check.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/config.h"
#include "core/train/checkpoint.h"

namespace trireme {

struct TrainOptions {
  std::string config;
  std::vector<std::string> sets;
  ResumePolicy resume;
  std::int64_t stop_at = 0;
  bool json = false;
};

/// --describe: prints the settings that `path` and `sets` come to; without a file, those of the preset alone. Returns
/// the exit code.
int describe_run(const std::string& path, const std::vector<std::string>& sets, bool json);
/// --check: prints what the settings come to on so many ranks, or throws Error(usage) with all that is wrong with them
/// and `found`, which was met before; with valid settings, with what keeps the run folder from being this run's. Memory
/// and GPUs are looked at by the start itself.
int check_run(const TrainOptions& options, std::int64_t ranks, const Problems& found);

}  // namespace trireme
