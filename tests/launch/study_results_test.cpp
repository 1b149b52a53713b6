// SPDX-License-Identifier: Apache-2.0
// A table of results is never replaced by one that lacks its runs.
#include "launch/study_results.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace trireme {
namespace {

namespace fs = std::filesystem;

class OtherResults : public testing::Test {
 protected:
  OtherResults() {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    for (const char* hash : {"aa", "bb"}) {
      StudyItem item;
      item.hash = hash;
      items_.push_back(item);
    }
  }
  ~OtherResults() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) const { std::ofstream(folder_ / name) << text; }
  std::string text(const std::string& name) const {
    std::ifstream file(folder_ / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::string keep() const { return keep_other_results(folder_.string(), items_); }

  const fs::path folder_ = fs::path(testing::TempDir()) / "trireme_study_results_test";
  std::vector<StudyItem> items_;
};

TEST_F(OtherResults, StayWhereTheyAreTheStudysOwn) {
  EXPECT_EQ(keep(), "");
  write("results.csv", "run,hash\nn1,aa\n");
  EXPECT_EQ(keep(), "");
  EXPECT_EQ(text("results.csv"), "run,hash\nn1,aa\n");
}

TEST_F(OtherResults, AreKeptUnderTheFirstFreeNumber) {
  write("results.csv", "run,hash\nn1,aa\nn9,zz\n");
  write("results.1.csv", "of before");
  EXPECT_EQ(keep(), "results.2.csv");
  EXPECT_EQ(text("results.2.csv"), "run,hash\nn1,aa\nn9,zz\n");
  EXPECT_EQ(text("results.1.csv"), "of before");
  EXPECT_FALSE(fs::exists(folder_ / "results.csv"));
}

TEST_F(OtherResults, AreKeptWhateverTheyAre) {
  write("results.csv", "run\nn1\n");
  EXPECT_EQ(keep(), "results.1.csv");
  write("results.csv", "run,run\n\"open");
  EXPECT_EQ(keep(), "results.2.csv");
}

}  // namespace
}  // namespace trireme
