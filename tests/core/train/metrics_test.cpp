// SPDX-License-Identifier: Apache-2.0
// metrics.jsonl: the keys that programs read, exact numbers, and the past that a resumed run did not have.
#include "core/train/metrics.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

#include "core/base/error.h"

namespace trireme {
namespace {

class MetricsLogTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              ("trireme_metrics_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    path_ = (folder_ / "metrics.jsonl").string();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string text() const {
    std::ostringstream all;
    all << std::ifstream(path_).rdbuf();
    return all.str();
  }
  static StepMetrics metrics(std::int64_t step) {
    StepMetrics m;
    m.step = step;
    m.loss = 10.0 / 3.0 + static_cast<double>(step);
    return m;
  }
  void write(std::int64_t first, std::int64_t last) const {
    MetricsLog log(path_, first - 1);
    for (std::int64_t step = first; step <= last; ++step) log.write(metrics(step));
  }

  std::filesystem::path folder_;
  std::string path_;
};

TEST_F(MetricsLogTest, LinesCarryExactNumbers) {
  StepMetrics m = metrics(7);
  m.grad_norm = 0.1F;
  m.lr = 6e-4;
  m.tokens = 1'000'000'000'007;
  m.token_hash = 0x8000'0000'0000'0001;
  m.seconds.data = 0.25;
  const auto json = nlohmann::json::parse(to_json_line(m));
  EXPECT_EQ(json["step"], 7);
  EXPECT_EQ(json["loss"].get<double>(), m.loss);
  EXPECT_EQ(json["grad_norm"].get<double>(), m.grad_norm);
  EXPECT_EQ(json["lr"].get<double>(), 6e-4);
  EXPECT_EQ(json["tokens"], 1'000'000'000'007);
  EXPECT_EQ(json["token_hash"], "8000000000000001");
  EXPECT_TRUE(json.contains("tokens_per_second"));
  EXPECT_TRUE(json.contains("mfu"));
  EXPECT_EQ(json["seconds"]["data"], 0.25);
  EXPECT_FALSE(json.contains("skipped"));
}

TEST_F(MetricsLogTest, ASkippedStepSaysHowManyThereWere) {
  StepMetrics m = metrics(7);
  m.loss = m.grad_norm = std::numeric_limits<double>::quiet_NaN();
  m.skipped = true;
  m.skips = 3;
  const auto json = nlohmann::json::parse(to_json_line(m));
  EXPECT_TRUE(json["loss"].is_null() && json["grad_norm"].is_null());
  EXPECT_EQ(json["skipped"], 3);
}

TEST_F(MetricsLogTest, ResumedRunHasTheLinesOfAnUninterruptedOne) {
  write(1, 10);
  const std::string whole = text();
  std::filesystem::remove(path_);
  write(1, 8);   // killed after step 8, the last checkpoint is of step 5
  write(6, 10);  // resumed
  EXPECT_EQ(text(), whole);
}

TEST_F(MetricsLogTest, TornLastLineIsDropped) {
  write(1, 3);
  const std::string whole = text();
  std::ofstream(path_, std::ios::app) << "{\"step\":4,\"lo";
  const MetricsLog log(path_, 3);
  EXPECT_EQ(text(), whole);
}

TEST_F(MetricsLogTest, ForeignLineIsAnErrorThatSaysWhere) {
  write(1, 2);
  std::ofstream(path_, std::ios::app) << "hello\n";
  try {
    const MetricsLog log(path_, 2);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("metrics.jsonl:3:"), std::string::npos) << error.what();
  }
}

TEST_F(MetricsLogTest, ValidationLinesAreOfTheirStep) {
  {
    MetricsLog log(path_, 0);
    log.write(metrics(1));
    log.write_validation(1, 2.5, 64);
    log.write(metrics(2));
    log.write_validation(2, 2.25, 64);
  }
  const MetricsLog log(path_, 1);
  std::istringstream lines(text());
  std::string line;
  std::getline(lines, line);
  std::getline(lines, line);
  EXPECT_EQ(nlohmann::json::parse(line)["validation_loss"], 2.5);
  EXPECT_FALSE(std::getline(lines, line));
}

TEST_F(MetricsLogTest, MissingFolderIsAnError) {
  EXPECT_THROW(MetricsLog((folder_ / "missing" / "metrics.jsonl").string(), 0), Error);
}

}  // namespace
}  // namespace trireme
