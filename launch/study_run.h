// SPDX-License-Identifier: Apache-2.0
// Runs a study within one job: every rank asks rank 0 for work, and groups of ranks form for a run and part after it.
#pragma once

#include <memory>

#include "core/base/device.h"
#include "core/base/error.h"
#include "launch/study.h"
#include "parallel/parallel.h"

namespace trireme {

struct StudyStart {
  bool retry_failed = false;  // those that have failed before for good start again; diverged ones of another version
  double max_seconds = 0;     // save and leave before this time is over; 0: no limit
};

/// What a start came to; on rank 0.
struct StudyOutcome {
  ExitCode code = ExitCode::done;  // done, requeue, or failed: no run of the study is done
  std::size_t runs = 0, done = 0, failed = 0;
};

/// Runs what is left of the study, whose runs are sized for this world; of it only rank 0's counts. Each rank lends its
/// device to one run after the other. Afterwards
/// results.csv in the study's folder has a row for every run that has come to its end. Throws Error when another job
/// has the folder.
StudyOutcome run_study(World& world, const Study& study, const std::shared_ptr<Device>& device,
                       const StudyStart& start);

}  // namespace trireme
