// SPDX-License-Identifier: Apache-2.0
// Starts programs as a user does, without a shell, and says what they printed and how they ended.
#pragma once

#include <nlohmann/json.hpp>
#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace trireme::e2e {

using Words = std::vector<std::string>;

/// How a program ended: its exit code, or 128 + the signal that ended it.
struct Outcome {
  int code = -1;
  std::string out, err;
};

/// A program that runs; the destructor kills what was not waited for.
class Process {
 public:
  /// Starts words[0] with its arguments in `folder`, its output going to files of a new temporary folder. Throws
  /// std::runtime_error when that cannot be.
  explicit Process(const Words& words, const std::string& folder);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t id() const { return id_; }
  bool running();
  void signal(int number) const;
  /// The ids of this program's children that are called `name`.
  std::vector<pid_t> children(const std::string& name) const;
  /// What it has printed to stderr so far.
  std::string errors_so_far() const;
  /// Waits for its end; after kTimeout the program is killed, which the exit code then tells.
  Outcome wait();
  /// Looks again and again until `condition` holds; false when the program ended, or kTimeout passed, before.
  bool wait_until(const std::function<bool()>& condition);

 private:
  std::string folder_;  // of out and err
  pid_t id_ = -1;
  bool ended_ = false;
  int status_ = 0;
};

/// The process that is rank `rank` of a job of trireme under mpirun; -1: none.
pid_t rank_of(const Process& job, int rank);

/// Starts a program and waits for it.
Outcome run(const Words& words, const std::string& folder);

/// The words that start the binary: alone, or under mpirun with `ranks` ranks.
Words trireme(const Words& arguments);
Words trireme(int ranks, const Words& arguments);

/// The one JSON object that `--json` promises: the whole of stdout is one line. Anything else is a test failure, and
/// null is returned.
nlohmann::json only_json(const Outcome& outcome);

/// How often `part` is in `text`.
std::size_t count(const std::string& text, const std::string& part);
bool has(const std::string& text, const std::string& part);

std::string read_text(const std::string& path);  // empty when there is no such file
void write_text(const std::string& path, const std::string& text);

}  // namespace trireme::e2e
