// SPDX-License-Identifier: Apache-2.0
// Which runs of a study are refused for want of memory: each one that is too large, and those that are so together.
#include "launch/study_memory.h"

#include <gtest/gtest.h>

#include <string>

#include "core/base/error.h"

namespace trireme {
namespace {

StudyItem item(const std::string& name, int layers, std::int64_t ranks) {
  std::vector<std::string> sets = {"data.shards=[none]",    "model.preset=mini_llama",
                                   "model.vocabulary=4000", "model.layers=" + std::to_string(layers),
                                   "train.sequence=128",    "train.global_batch=16",
                                   "train.micro_batch=8",   "mesh.replica=" + std::to_string(ranks)};
  Problems problems;
  auto loaded = load_run_config("", sets, problems);
  validate(loaded, ranks, problems);
  problems.raise();
  StudyItem made;
  made.name = name;
  made.config = loaded.config;
  made.ranks = ranks;
  return made;
}

std::string problem_of(std::vector<const StudyItem*> items, DeviceKind kind, const FreeMemory& free) {
  Problems problems;
  check_study_memory(items, kind, free, problems);
  try {
    problems.raise();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::usage);
    return e.what();
  }
  return "";
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

class StudyMemory : public testing::Test {
 protected:
  const StudyItem small_ = item("small", 2, 1);
  const StudyItem large_ = item("large", 6, 1);
  const StudyItem wide_ = item("wide", 6, 2);
  const std::int64_t small_bytes_ = planned_bytes(small_.config, DeviceKind::cpu);
  const std::int64_t large_bytes_ = planned_bytes(large_.config, DeviceKind::cpu);
};

TEST_F(StudyMemory, EveryRunThatIsTooLargeIsNamedAtOnce) {
  const auto text = problem_of({&small_, &large_, &wide_}, DeviceKind::cpu, {small_bytes_, 1, "in a box"});
  EXPECT_FALSE(has(text, "small: ")) << text;
  EXPECT_TRUE(has(text, "large")) << text;
  EXPECT_TRUE(has(text, "wide")) << text;
  EXPECT_TRUE(has(text, "in a box")) << text;
  EXPECT_FALSE(has(text, "side by side")) << "what does not fit alone fits with nothing";
}

TEST_F(StudyMemory, AdviceIsInTheStudysOwnSettings) {
  const auto text = problem_of({&large_}, DeviceKind::cpu, {large_bytes_ - 1, 1, ""});
  EXPECT_TRUE(has(text, "--set base.")) << text;
}

TEST_F(StudyMemory, AHostsRanksMayUseOneAnothersShare) {
  ASSERT_LT(small_bytes_, large_bytes_);
  const auto both = small_bytes_ + large_bytes_;
  EXPECT_EQ(problem_of({&small_, &large_}, DeviceKind::cpu, {both / 2 + 1, 2, ""}), "");
  const auto text = problem_of({&small_, &large_}, DeviceKind::cpu, {both / 2 - 1, 2, ""});
  EXPECT_TRUE(has(text, "side by side")) << text;
  EXPECT_TRUE(has(text, "large, small")) << text;
  // Of more runs than there is room for at a time, the largest count.
  EXPECT_EQ(problem_of({&small_, &small_, &large_}, DeviceKind::cpu, {both / 2 + 1, 2, ""}), "");
}

TEST_F(StudyMemory, AGpuIsNobodyElses) {
  const auto needed = planned_bytes(large_.config, DeviceKind::cuda);
  EXPECT_EQ(problem_of({&small_, &large_, &large_}, DeviceKind::cuda, {needed, 1, ""}), "");
  EXPECT_TRUE(has(problem_of({&small_, &large_}, DeviceKind::cuda, {needed - 1, 1, ""}), "large"));
}

}  // namespace
}  // namespace trireme
