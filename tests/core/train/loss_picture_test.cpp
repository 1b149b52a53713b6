// SPDX-License-Identifier: Apache-2.0
#include "core/train/loss_picture.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "core/base/error.h"

namespace trireme {
namespace {

LossCurve read(const std::string& content) {
  const auto path = std::filesystem::temp_directory_path() / "trireme_loss_picture.jsonl";
  std::ofstream(path) << content;
  return read_loss_curve(path);
}

TEST(LossPicture, ReadsStepsAndValidations) {
  const auto curve = read("{\"step\": 1, \"loss\": 4.5, \"lr\": 0.1}\n{\"step\": 1, \"validation_loss\": 4.25}\n");
  ASSERT_EQ(curve.training.size(), 1U);
  ASSERT_EQ(curve.validation.size(), 1U);
  EXPECT_EQ(curve.training[0].loss, 4.5);
  EXPECT_EQ(curve.validation[0].loss, 4.25);
  EXPECT_THROW(read("{\"step\": 1}\n"), Error);
  EXPECT_THROW(read("nonsense\n"), Error);
}

TEST(LossPicture, LeavesOutASkippedStepWhoseLossIsNoNumber) {
  const auto curve = read(
      "{\"step\": 1, \"loss\": 4.5}\n{\"step\": 2, \"loss\": null, \"skipped\": 1}\n"
      "{\"step\": 3, \"loss\": 9.5, \"skipped\": 2}\n");
  ASSERT_EQ(curve.training.size(), 2U);
  EXPECT_EQ(curve.training[1].step, 3);
  EXPECT_THROW(read("{\"step\": 1, \"loss\": null}\n"), Error);
}

TEST(LossPicture, PutsPointsWhereTheyBelong) {
  LossCurve curve;
  curve.training = {{1, 8.0}, {50, 4.0}, {100, 2.0}};
  curve.validation = {{100, 2.0}, {0, 8.0}};
  const auto svg = loss_picture(curve, "a < b & c");
  EXPECT_NE(svg.find("a &lt; b &amp; c"), std::string::npos);
  // The scale is logarithmic from y = 352 up to 56, with 4 % of the range at each end: 296 * 0.04 / 1.08 = 10.96; steps
  // go from x = 64 to 696, with 3 % of theirs: 632 * 0.03 / 1.06 = 17.89.
  EXPECT_NE(svg.find("cx=\"678.1\" cy=\"341.0\""), std::string::npos) << svg;
  EXPECT_NE(svg.find("cx=\"81.9\" cy=\"67.0\""), std::string::npos) << svg;
  EXPECT_NE(svg.find("380.0,204.0"), std::string::npos) << svg;  // 4 is the geometric middle
}

TEST(LossPicture, DrawsEvenNothing) {
  EXPECT_NE(loss_picture({}, "empty").find("</svg>"), std::string::npos);
  EXPECT_NE(loss_picture({{{1, 2.0}}, {}}, "one").find("</svg>"), std::string::npos);
}

}  // namespace
}  // namespace trireme
