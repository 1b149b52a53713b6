// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "core/base/error.h"
#include "core/model/model.h"
#include "core/train/coordinate_check.h"
#include "parallel/parallel.h"
#include "tests/kernels/test_device.h"
#include "tests/parity/fixed_batches.h"

namespace trireme {
namespace {

Architecture of_width(Family family, Parametrization parametrization, std::int64_t width) {
  return {.family = family,
          .vocabulary = 96,
          .context = 32,
          .layers = 2,
          .width = width,
          .heads = width / 16,
          .kv_heads = width / 16,
          .head_size = 16,
          .feed_forward = (family == Family::llama ? 3 : 4) * width,
          .tied = family == Family::gpt2,
          .qkv_bias = family == Family::gpt2,
          .parametrization = parametrization,
          .base_width = 64};
}

std::vector<Coordinate> coordinates_of(const Architecture& a) {
  const CoordinateCheck check{.steps = 4, .batch = 4, .sequence = 32, .lr = 1e-2, .seed = 3, .precision = Dtype::f32};
  const auto device = make_test_device({.threads = 2});
  const auto ops = make_test_ops(*device);
  const auto stream = device->make_stream("compute");
  const auto self = make_self_group("self");
  const ParamTable table = Model(a).params();
  const auto store = make_params(table, *device, *ops, check.precision, {});
  auto batches = FixedBatches::random(check.batch, check.sequence, a.vocabulary, 5);
  return check_coordinates(a, check, *device, *ops, *stream, table, *store, *self, batches);
}

/// The power of the width that the last block's output and the logits move with, after all updates.
struct Growth {
  double block, logits;
};
Growth growth_of(Family family, Parametrization parametrization) {
  const std::vector<double> widths{64, 128, 256, 512};
  std::vector<double> block;
  std::vector<double> logits;
  for (const double width : widths) {
    const auto found = coordinates_of(of_width(family, parametrization, static_cast<std::int64_t>(width)));
    EXPECT_EQ(found.front().name, "embedding");
    EXPECT_EQ(found.back().name, "logits");
    block.push_back(found[found.size() - 2].change.back());
    logits.push_back(found.back().change.back());
  }
  return {growth_exponent(widths, block), growth_exponent(widths, logits)};
}

// In the limit of width the exponents are 0 with mup; with the standard parametrization an Adam update of a matrix
// changes what it gives by a power of 1 of its fan-in (Yang et al. 2022, section 4 and appendix J). The bound is half
// way, for the widths here are finite.
TEST(Coordinates, MoveAsFarAtEveryWidthWithMupAlone) {
  for (const Family family : {Family::gpt2, Family::llama}) {
    const Growth mup = growth_of(family, Parametrization::mup);
    EXPECT_LT(std::abs(mup.block), 0.5) << static_cast<int>(family);
    EXPECT_LT(std::abs(mup.logits), 0.5) << static_cast<int>(family);
    const Growth standard = growth_of(family, Parametrization::standard);
    EXPECT_GT(standard.block, 0.5) << static_cast<int>(family);
    EXPECT_GT(standard.logits, 0.5) << static_cast<int>(family);
  }
}

TEST(Coordinates, BeginWithoutChange) {
  for (const auto& coordinate : coordinates_of(of_width(Family::llama, Parametrization::mup, 64))) {
    ASSERT_EQ(coordinate.value.size(), 5U);
    ASSERT_EQ(coordinate.change.size(), 5U);
    EXPECT_EQ(coordinate.change.front(), 0.0);
    EXPECT_GT(coordinate.change[1], 0.0) << coordinate.name;
  }
}

TEST(Coordinates, GrowthIsThePowerOfTheWidth) {
  EXPECT_NEAR(growth_exponent({2, 4, 8}, {3 * 4.0, 3 * 16.0, 3 * 64.0}), 2.0, 1e-12);
  EXPECT_NEAR(growth_exponent({1, 10}, {5, 5}), 0.0, 1e-12);
  EXPECT_THROW(growth_exponent({4, 4}, {1, 2}), Error);
}

}  // namespace
}  // namespace trireme
