// SPDX-License-Identifier: Apache-2.0
// What a study tells people while it runs: one table on a terminal, which is drawn again and again, a line for every
// event, and now and then, elsewhere; all lines are also in STUDY/log.txt.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace trireme {

/// The terminal that the program which started this process, and reads its stderr, writes on: mpirun on this host.
/// Null where there is none: it is on another host, or its stderr goes to a file or a pipe.
std::FILE* terminal_of_launcher();

class StudyProgress {
 public:
  struct Run {
    std::string name;
    std::int64_t steps = 0;
    double cost = 1;  // of all of it, in any unit
  };
  /// `out` is borrowed, and outlives this; null: only the log is written, and that only when it is named.
  StudyProgress(std::FILE* out, std::vector<Run> runs, const std::string& log);

  /// It had ended before this start.
  void was_there(std::size_t run, bool done);
  void started(std::size_t run, const std::vector<int>& ranks);
  void at(std::size_t run, std::int64_t step, double loss);
  void done(std::size_t run, double train_loss, double validation_loss);
  void failed(std::size_t run, const std::string& reason, bool again);
  void stopped(std::size_t run);
  void say(const std::string& line);
  /// Call often: on a terminal it draws the table once a second, elsewhere it says where the study is once a minute.
  void draw();
  /// "4 of 12 done, 1 failed, 2 running, 5 waiting, ETA 3m 20s"
  std::string totals() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Place {
    std::string ranks;
    std::int64_t step = 0;
    std::int64_t first = 0;  // step of this start
    double loss = 0;
  };

  double eta() const;
  void clear();

  std::FILE* out_;
  std::ofstream log_;
  const std::vector<Run> runs_;
  const bool terminal_;
  const Clock::time_point began_ = Clock::now();
  Clock::time_point drawn_ = {};
  int lines_ = 0;  // of the table that stands on the terminal
  std::map<std::size_t, Place> running_;
  std::size_t done_ = 0, failed_ = 0;
  double cost_here_ = 0;  // made by this start, of runs that have ended
  double cost_left_ = 0;  // of those that have not
};

}  // namespace trireme
