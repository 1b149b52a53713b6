// SPDX-License-Identifier: Apache-2.0
// What people see: the line itself, and how often it comes when nobody watches.
#include "core/train/progress.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

#include "core/base/error.h"

namespace trireme {
namespace {

StepMetrics metrics(std::int64_t step) {
  StepMetrics m;
  m.step = step;
  m.loss = 3.25;
  m.grad_norm = 0.5;
  m.lr = 6e-4;
  m.tokens_per_second = 12345.0;
  m.mfu = 0.412;
  m.seconds.total = 2.0;
  return m;
}

TEST(Progress, LineTellsWhatIsLeft) {
  EXPECT_EQ(progress_line(metrics(100), 1000, 2.0),
            "step 100/1000  loss 3.2500  norm 0.50  lr 6.0e-04  12.3k tokens/s  MFU 41.2 %  ETA 30m 00s");
  EXPECT_EQ(progress_line(metrics(1000), 1000, 2.0).find("ETA"), std::string::npos);
}

TEST(Progress, FileGetsALineEverySoOften) {
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  Progress progress(file, 25, 10);
  for (std::int64_t step = 1; step <= 25; ++step) progress.update(metrics(step));
  progress.note("saved");
  std::rewind(file);
  std::string text;
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) text.push_back(static_cast<char>(c));
  std::fclose(file);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 5);  // steps 1, 10, 20, 25 and the note
  EXPECT_NE(text.find("step 20/25"), std::string::npos);
  EXPECT_EQ(text.find('\r'), std::string::npos);
}

TEST(Progress, LogGetsTheSameLinesWithTheTimeAndIsAppendedTo) {
  const auto path = std::filesystem::temp_directory_path() / "trireme_progress_test.txt";
  std::filesystem::remove(path);
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  for (int run = 0; run < 2; ++run) {
    Progress progress(file, 25, 10, path);
    for (std::int64_t step = 1; step <= 25; ++step) progress.update(metrics(step));
    progress.note("saved");
  }
  std::fclose(file);
  std::ifstream in(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  ASSERT_EQ(lines.size(), 10U);
  EXPECT_TRUE(std::regex_match(lines[9], std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ saved)"))) << lines[9];
  EXPECT_NE(lines[1].find("step 10/25"), std::string::npos);
  EXPECT_THROW(Progress(stderr, 25, 10, "/nonexistent/log.txt"), Error);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace trireme
