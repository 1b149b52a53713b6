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

TEST(LossPicture, PutsPointsWhereTheyBelong) {
  LossCurve curve;
  for (int i = 1; i <= 100; ++i) curve.training.push_back({i, 5.0 - 0.04 * i});
  curve.validation = {{100, 1.0}};
  const auto svg = loss_picture(curve, "a < b & c");
  EXPECT_NE(svg.find("a &lt; b &amp; c"), std::string::npos);
  // Losses span 1.00 to 4.96 with a twentieth of margin at each end: the lowest stands 304/22 above the bottom at 352.
  EXPECT_NE(svg.find("cx=\"696.0\" cy=\"338.2\""), std::string::npos) << svg;
}

TEST(LossPicture, DrawsEvenNothing) {
  EXPECT_NE(loss_picture({}, "empty").find("</svg>"), std::string::npos);
  EXPECT_NE(loss_picture({{{1, 2.0}}, {}}, "one").find("</svg>"), std::string::npos);
}

}  // namespace
}  // namespace trireme
