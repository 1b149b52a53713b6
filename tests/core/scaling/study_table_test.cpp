// SPDX-License-Identifier: Apache-2.0
#include "core/scaling/study_table.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/base/error.h"

namespace trireme {
namespace {

StudyTable read(const std::string& text, const ColumnChoice& choice = {}) {
  return read_study(parse_table(text, "t.csv"), choice, "t.csv");
}

void expect_refused(const std::string& text, const ColumnChoice& choice, const std::string& part, ExitCode code) {
  try {
    read(text, choice);
    ADD_FAILURE() << "accepted: " << text;
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
    EXPECT_EQ(e.code(), code);
  }
}

TEST(StudyTable, KnowsColumnsByTheirNames) {
  const auto study = read("Model Size,Training FLOP,loss,color\n2e9,1.2e21,2.5,#fff\n1e9, 6e20 ,+3,x\n");
  ASSERT_EQ(study.points.size(), 2U);
  EXPECT_EQ(study.points[0].parameters, 2e9);
  EXPECT_EQ(study.points[0].flops, 1.2e21);
  EXPECT_EQ(study.points[0].tokens, 1e11);
  EXPECT_EQ(study.points[1].loss, 3);
  EXPECT_EQ(study.points[1].flops, 6e20);
  EXPECT_EQ(study.points[1].line, 3U);
  EXPECT_TRUE(std::isnan(study.points[0].accuracy));
  EXPECT_EQ(study.parameters, "as in column 'Model Size'");
  EXPECT_EQ(study.flops, "as in column 'Training FLOP'");
}

TEST(StudyTable, NamesItsConventions) {
  const std::string text =
      "run,params_total,params_non_embedding,params_chinchilla,tokens,flops_6nd,flops_appendix_f,validation_loss,bpb,"
      "accuracy,status\na,100,80,110,1000,600000,650000,2,1.1,0.4,done\nb,1,2,3,4,5,6,7,8,0.5,failed\n";
  auto study = read(text, {{}, {{"status", "done"}}});
  ASSERT_EQ(study.points.size(), 1U);
  EXPECT_EQ(study.left_out, 1U);
  EXPECT_EQ(study.parameters, "total");
  EXPECT_EQ(study.flops, "6ND");
  EXPECT_EQ(study.points[0].parameters, 100);
  EXPECT_EQ(study.points[0].task_loss, 1.1);
  EXPECT_EQ(study.points[0].run, "a");
  study = read(text, {{{ColumnRole::parameters, "params_non_embedding"}, {ColumnRole::flops, "flops_appendix_f"}}, {}});
  EXPECT_EQ(study.parameters, "non-embedding");
  EXPECT_EQ(study.flops, "Appendix F");
  EXPECT_EQ(study.points[0].parameters, 80);
  EXPECT_EQ(study.points[0].flops, 650000);
  study = read(text, {{{ColumnRole::parameters, "params_chinchilla"}}, {}});
  EXPECT_EQ(study.parameters, "Chinchilla's");
  study = read("n,d,loss\n10,20,3\n");
  EXPECT_EQ(study.points[0].flops, 1200);
  EXPECT_EQ(study.flops, "6ND");
}

TEST(StudyTable, RefusesWithWhatThereIs) {
  expect_refused("a,tokens,loss\n1,2,3\n", {}, "no column of parameters", ExitCode::usage);
  expect_refused("n,tokens,x\n1,2,3\n", {}, "--loss-column; there are: n, tokens, x", ExitCode::usage);
  expect_refused("n,loss\n1,2\n", {}, "neither a column of tokens nor one of flops", ExitCode::usage);
  expect_refused("n,d,loss\n1,2,3\n", {{{ColumnRole::loss, "lost"}}, {}}, "did you mean 'loss'?", ExitCode::usage);
  expect_refused("n,d,loss\n1,2,3\n", {{}, {{"state", "done"}}}, "no column 'state'", ExitCode::usage);
  expect_refused("n,d,loss\n1,2,3\n1,2,3x\n", {}, "t.csv:3: loss is '3x'; expected a number", ExitCode::failed);
}

// Not a number is a value, which the fit refuses with its line; so is nothing.
TEST(StudyTable, NanAndNothingArePassedOn) {
  const auto study = read("n,d,loss\n1,2,nan\n1,2,\n");
  EXPECT_TRUE(std::isnan(study.points[0].loss));
  EXPECT_TRUE(std::isnan(study.points[1].loss));
  EXPECT_THROW(check_points(study.points), Error);
}

}  // namespace
}  // namespace trireme
