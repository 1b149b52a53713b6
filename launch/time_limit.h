// SPDX-License-Identifier: Apache-2.0
// When a run has to save because its time is about to be over: the user's limit, or the batch system's.
#pragma once

#include <chrono>

namespace trireme {

class TimeLimit {
 public:
  /// `max_seconds` count from now; 0: no limit of the user's. `job_end`: when the batch system ends the job, in seconds
  /// since 1970 as text (SLURM_JOB_END_TIME); null, or anything else than a number: not known.
  TimeLimit(double max_seconds, const char* job_end);

  /// Whether there is time for no more than a checkpoint, one of which takes `save_seconds`: less than two of them
  /// (and, before the end of the job, a minute) are left.
  bool near(double save_seconds) const;

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point own_ = Clock::time_point::max();
  Clock::time_point job_ = Clock::time_point::max();
};

}  // namespace trireme
