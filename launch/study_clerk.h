// SPDX-License-Identifier: Apache-2.0
// Gives the runs of a study out to ranks that ask for work, and takes down how they end: on rank 0, at its desk.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "launch/run_queue.h"
#include "launch/run_result.h"
#include "launch/study_progress.h"
#include "parallel/parallel.h"

namespace trireme {

/// A run, as far as it has to be given out.
struct StudyJob {
  std::string name;
  std::int64_t ranks = 1;
  std::optional<std::size_t> after = {};
  double cost = 1;                       // of all of it, in any unit
  std::string order = {};                // what its ranks are told, an object of JSON
  std::optional<RunResult> result = {};  // of an earlier start
};

/// What ranks and clerk say to each other, as JSON. A rank asks with {} or with what its run has come to: {"run": 3,
/// "status": "done", "failed" or "stopped", "reason": "...", "result": {...}}. It is answered with {"run": 3, "ranks":
/// [0, 1], "failures": 0, "order": {...}} or {"end": true}; after a failure first with {"agreed": true} when all ranks
/// of the run have met it, upon which it asks again, and {"abort": true} when some have not.
class StudyClerk final : public Clerk {
 public:
  struct Options {
    std::int64_t retries = 0;                                       // of a run that failed, and did not diverge
    std::function<bool()> stop = {};                                // asked to stop: no run is given out any more
    std::function<void()> changed = {};                             // a run has ended, and its result is there
    std::chrono::milliseconds patience = std::chrono::seconds(60);  // from the first rank of a run to the last
  };

  StudyClerk(std::vector<StudyJob> jobs, std::span<const std::int64_t> order, Options options, StudyProgress& progress);

  std::vector<Answer> asked(int rank, const std::string& words) override;
  void told(int rank, const std::string& words) override;
  std::vector<Answer> look() override;
  bool closing() const override { return closing_; }

  /// By run: none of those that have not come to their end. Between the end of the desk and that of the clerk, or
  /// within `changed`.
  const std::vector<std::optional<RunResult>>& results() const { return results_; }

 private:
  using Clock = std::chrono::steady_clock;

  /// A run that ranks are busy with, and what they say about its end.
  struct Running {
    std::vector<int> ranks;
    std::map<int, std::string> said;  // status, by rank
    std::string reason;
    std::optional<RunResult> result;
    Clock::time_point first = {};  // when the first one said it
  };

  bool is_final(const RunResult& result, std::int64_t failures) const;
  void hear_of_end(int rank, const std::string& words);
  void close_run(std::size_t run, const Running& end);
  std::vector<Answer> answers();
  std::vector<Answer> aborted();

  std::vector<StudyJob> jobs_;
  Options options_;
  StudyProgress& progress_;
  RunQueue queue_;
  std::vector<std::optional<RunResult>> results_;
  std::vector<std::int64_t> failures_;
  std::map<std::size_t, Running> running_;
  std::set<int> waiting_;       // ranks
  std::vector<Answer> agreed_;  // to those that wait to hear that they have failed together
  bool closing_ = false;
};

}  // namespace trireme
