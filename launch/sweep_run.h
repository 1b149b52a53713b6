// SPDX-License-Identifier: Apache-2.0
// `mpirun trireme sweep CONFIG`: from a study's file to its table.
#pragma once

#include <string>
#include <vector>

#include "launch/study_run.h"

namespace trireme {

struct SweepRunOptions {
  std::string config;
  std::vector<std::string> sets;
  StudyStart start;
  bool json = false;
};

/// Loads the study on rank 0, sizes it for this job and device, and runs it; the exit code.
int sweep_run(const SweepRunOptions& options);

}  // namespace trireme
