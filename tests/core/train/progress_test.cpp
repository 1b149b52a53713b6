// SPDX-License-Identifier: Apache-2.0
// What people see: the line itself, and how often it comes when nobody watches.
#include "core/train/progress.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <string>

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

}  // namespace
}  // namespace trireme
