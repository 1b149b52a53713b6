// SPDX-License-Identifier: Apache-2.0
#include "launch/run_result.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "core/base/error.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

class InFolder : public testing::Test {
 protected:
  InFolder() {
    auto pattern = (fs::temp_directory_path() / "trireme-result-XXXXXX").string();
    config_.run.dir = mkdtemp(pattern.data());
  }
  ~InFolder() override { fs::remove_all(config_.run.dir); }
  InFolder(const InFolder&) = delete;
  InFolder& operator=(const InFolder&) = delete;

  RunConfig config_;
};

TEST_F(InFolder, AResultIsReadAsItWasWritten) {
  EXPECT_FALSE(read_result(config_, "abc"));
  RunResult r{
      .hash = "abc", .done = true, .reason = "", .attempts = 2, .ranks = 4, .version = "1", .steps = 7, .skipped = 1};
  r.train_loss = 2.0 / 3.0;
  r.unique_tokens = 1e9;
  write_result(config_, r);
  const auto back = read_result(config_, "abc");
  ASSERT_TRUE(back);
  EXPECT_TRUE(back->done);
  EXPECT_EQ(back->train_loss, 2.0 / 3.0);
  EXPECT_TRUE(std::isnan(back->validation_loss));
  EXPECT_EQ(back->attempts, 2);
  EXPECT_FALSE(read_result(config_, "other")) << "another run's";
  std::ofstream(config_.run.dir + "/result.json") << "{";
  EXPECT_THROW(read_result(config_, "abc"), Error);
}

TEST_F(InFolder, MetricsAreMeasured) {
  RunResult r;
  measure(config_, r);
  EXPECT_TRUE(std::isnan(r.train_loss)) << "there is none yet";
  std::ofstream(config_.run.dir + "/metrics.jsonl")
      << R"({"step":1,"loss":4.0,"tokens":100,"seconds":{"total":0.5}})"
      << "\n"
      << R"({"step":2,"loss":null,"tokens":200,"skipped":1,"seconds":{"total":0.25}})"
      << "\n"
      << R"({"step":2,"validation_loss":3.5,"samples":4})"
      << "\n"
      << R"({"step":3,"loss":4.0,"tokens":300,"seconds":{"total":0.25}})"
      << "\n"
      << R"({"step":4,"loss":9)";
  measure(config_, r);
  EXPECT_EQ(r.steps, 3);
  EXPECT_EQ(r.skipped, 1);
  EXPECT_DOUBLE_EQ(r.train_loss, 4.0);
  EXPECT_EQ(r.validation_loss, 3.5);
  EXPECT_EQ(r.seconds, 1.0);
  EXPECT_EQ(r.tokens_per_second, 300.0);
}

}  // namespace
}  // namespace trireme
