// SPDX-License-Identifier: Apache-2.0
// Rotary tables against the definition, and Llama-3.1's scaling at its three kinds of wavelength.
#include "core/model/rope.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace trireme {
namespace {

TEST(Rope, TableHoldsCosinesThenSines) {
  const auto table = rope_table({.theta = 10000.0}, 5, 4);
  ASSERT_EQ(table.size(), 20U);
  for (std::size_t p = 0; p < 5; ++p) {
    const auto position = static_cast<double>(p);
    EXPECT_FLOAT_EQ(table[p * 4 + 0], static_cast<float>(std::cos(position)));
    EXPECT_FLOAT_EQ(table[p * 4 + 1], static_cast<float>(std::cos(position * 0.01)));
    EXPECT_FLOAT_EQ(table[p * 4 + 2], static_cast<float>(std::sin(position)));
    EXPECT_FLOAT_EQ(table[p * 4 + 3], static_cast<float>(std::sin(position * 0.01)));
  }
}

TEST(Rope, ScalingStretchesLongWavelengthsOnly) {
  const RopeConfig plain{.theta = 500000.0};
  RopeConfig scaled = plain;
  scaled.factor = 8.0;
  const auto before = rope_frequencies(plain, 128);
  const auto after = rope_frequencies(scaled, 128);
  int kept = 0;
  int stretched = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const double wavelength = 2.0 * std::numbers::pi / before[i];
    if (wavelength < 8192.0 / 4.0) {
      EXPECT_DOUBLE_EQ(after[i], before[i]);
      ++kept;
    } else if (wavelength > 8192.0 / 1.0) {
      EXPECT_DOUBLE_EQ(after[i], before[i] / 8.0);
      ++stretched;
    } else {
      EXPECT_LT(after[i], before[i]);
      EXPECT_GT(after[i], before[i] / 8.0);
    }
  }
  EXPECT_GT(kept, 0);
  EXPECT_GT(stretched, 0);
  EXPECT_LT(kept + stretched, 64);
}

}  // namespace
}  // namespace trireme
