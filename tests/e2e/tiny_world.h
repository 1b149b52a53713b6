// SPDX-License-Identifier: Apache-2.0
// What most tests of the binary start from: a folder with a small synthetic world, a tokenizer, and a corpus of shards.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/e2e/command.h"

namespace trireme::e2e {

/// A folder of its own, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// Made once in each test program: world/, tokenizer.json, shards/. Programs run in this folder.
class TinyWorld : public testing::Test {
 protected:
  static void SetUpTestSuite();
  static void TearDownTestSuite();

  static std::string folder() { return made_->path(); }
  static std::string path(const std::string& inside) { return folder() + "/" + inside; }
  static Outcome alone(const Words& arguments) { return run(trireme(arguments), folder()); }
  static Outcome ranks(int n, const Words& arguments) { return run(trireme(n, arguments), folder()); }

  /// `trireme data` of the world, to `out`.
  static Words data_command(const std::string& out);
  /// `trireme train` of a very small model on shards/, in run.dir `dir`; `more` are further words.
  static Words train_command(const std::string& dir, const Words& more = {});

 private:
  static TemporaryFolder* made_;
};

/// A line of metrics.jsonl that tells of a step.
struct Step {
  std::int64_t step = 0;
  double loss = 0, grad_norm = 0, lr = 0;
  std::string token_hash;
};
std::vector<Step> steps_of(const std::string& run);

/// metrics.jsonl byte for byte, but for what depends on the clock (which each line has last).
std::vector<std::string> lines_without_times(const std::string& run);

/// The tensors of a checkpoint: name and kind, to digest.
std::map<std::string, std::string> digests_of(const std::string& run, std::int64_t step);
std::string checkpoint_of(const std::string& run, std::int64_t step);

/// Turns over some bytes in the middle of a file.
void damage(const std::string& file, std::uint64_t at);

}  // namespace trireme::e2e
