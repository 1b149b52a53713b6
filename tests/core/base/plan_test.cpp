// SPDX-License-Identifier: Apache-2.0
#include "core/base/plan.h"

#include <gtest/gtest.h>

namespace trireme {
namespace {

std::size_t two_blocks(Saving saving) {
  Plan plan(saving);
  for (int block = 0; block < 2; ++block) {
    plan.begin_block();
    plan.keep("a", Dtype::f32, {64, 4});
    plan.keep("b", Dtype::bf16, {1});
    plan.end_block();
  }
  return plan.keep_bytes();
}

TEST(Plan, RecomputationSharesTheSavedTensorsOfAllBlocks) {
  EXPECT_EQ(two_blocks(Saving::keep), 2U * (1024 + 256));
  EXPECT_EQ(two_blocks(Saving::light), 2U * (1024 + 256));
  EXPECT_EQ(two_blocks(Saving::recompute), 1024U + 256);
  EXPECT_EQ(two_blocks(Saving::none), 1024U + 256);
}

TEST(Plan, ScratchIsReusedAfterItsScope) {
  Plan plan(Saving::keep);
  {
    const Plan::Scope outer(plan);
    plan.scratch("a", Dtype::u8, {256});
    {
      const Plan::Scope inner(plan);
      plan.scratch("b", Dtype::u8, {512});
    }
    plan.scratch("c", Dtype::u8, {256});
  }
  EXPECT_EQ(plan.scratch_bytes(), 768U);
  EXPECT_EQ(plan.entries()[1].offset, plan.entries()[2].offset);
}

TEST(Plan, RefusesWhatOverflows) {
  Plan plan(Saving::keep);
  EXPECT_ANY_THROW(plan.stream("huge", Dtype::f32, {std::int64_t{1} << 40, std::int64_t{1} << 40}));
}

}  // namespace
}  // namespace trireme
