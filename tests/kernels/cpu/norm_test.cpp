// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/kernels/machine.h"

namespace trireme::kernel_test {
namespace {

struct Case {
  std::int64_t rows, width;
  Dtype dtype;
  bool centred;  // LayerNorm, otherwise RMSNorm
};

class NormTest : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    const Case& c = GetParam();
    const auto count = static_cast<std::size_t>(c.rows * c.width);
    const auto width = static_cast<std::size_t>(c.width);
    const Shape matrix = {c.rows, c.width};
    x = normal(count, 1);
    for (double& v : x) v += 0.5;  // a mean, so that it matters
    weight = normal(width, 2);
    bias = normal(width, 3);
    dy = normal(count, 4);
    d_weight = normal(width, 5);
    d_bias = normal(width, 6);
    before = normal(count, 7);
    tx = machine.put(c.dtype, matrix, x);
    tweight = machine.put(c.dtype, {c.width}, weight);
    tbias = machine.put(c.dtype, {c.width}, bias);
    tdy = machine.put(c.dtype, matrix, dy);
    td_weight = machine.put(Dtype::f32, {c.width}, d_weight);
    td_bias = machine.put(Dtype::f32, {c.width}, d_bias);
    tdx = machine.put(c.dtype, matrix, before);
    ty = machine.make(c.dtype, matrix);
    tmean = machine.make(Dtype::f32, {c.rows});
    trstd = machine.make(Dtype::f32, {c.rows});
  }

  reference::Norm forward() {
    const Case& c = GetParam();
    const auto width = static_cast<std::size_t>(c.width);
    if (c.centred) {
      machine.run(LayerNorm{.y = ty.tensor,
                            .mean = tmean.tensor,
                            .rstd = trstd.tensor,
                            .x = tx.tensor,
                            .weight = tweight.tensor,
                            .bias = tbias.tensor,
                            .eps = 1e-5F});
      return reference::layer_norm(x, weight, bias, width, static_cast<double>(1e-5F));
    }
    machine.run(RmsNorm{.y = ty.tensor, .rstd = trstd.tensor, .x = tx.tensor, .weight = tweight.tensor, .eps = 1e-5F});
    return reference::rms_norm(x, weight, width, static_cast<double>(1e-5F));
  }

  reference::NormGradient backward(bool accumulate, const Tensor& dx) {
    const Case& c = GetParam();
    const auto width = static_cast<std::size_t>(c.width);
    if (c.centred) {
      machine.run(LayerNormBackward{.dx = dx,
                                    .d_weight = td_weight.tensor,
                                    .d_bias = td_bias.tensor,
                                    .dy = tdy.tensor,
                                    .x = tx.tensor,
                                    .mean = tmean.tensor,
                                    .rstd = trstd.tensor,
                                    .weight = tweight.tensor,
                                    .accumulate = accumulate});
      return reference::layer_norm_backward(dy, x, weight, width, static_cast<double>(1e-5F));
    }
    machine.run(RmsNormBackward{.dx = dx,
                                .d_weight = td_weight.tensor,
                                .dy = tdy.tensor,
                                .x = tx.tensor,
                                .rstd = trstd.tensor,
                                .weight = tweight.tensor,
                                .accumulate = accumulate});
    return reference::rms_norm_backward(dy, x, weight, width, static_cast<double>(1e-5F));
  }

  /// Relative error of a row's sums over `width` terms in fp32, and of a handful of operations on them.
  double row_error() const { return static_cast<double>(GetParam().width + 16) * roundoff(Dtype::f32); }

  Machine machine;
  Values x, weight, bias, dy, d_weight, d_bias, before;
  Held tx, tweight, tbias, tdy, td_weight, td_bias, tdx, ty, tmean, trstd;
};

TEST_P(NormTest, ForwardIsTheFormula) {
  const auto expected = forward();
  const double v = roundoff(GetParam().dtype);
  const double largest_rstd = largest(expected.rstd);
  // |(x - mean) rstd| <= 2 max|x| rstd; the mean's error enters the same way.
  const double scale = 2 * largest(x) * largest_rstd * largest(weight) + largest(bias);
  expect_within(
      get(ty.tensor), expected.y, [&](std::size_t i) { return 3 * row_error() * scale + v * std::abs(expected.y[i]); },
      "y");
  expect_within(
      get(trstd.tensor), expected.rstd, [&](std::size_t i) { return 2 * row_error() * expected.rstd[i]; }, "rstd");
  if (GetParam().centred) {
    expect_within(
        get(tmean.tensor), expected.mean, [&](std::size_t) { return row_error() * largest(x); }, "mean");
  }
}

TEST_P(NormTest, BackwardIsTheFormulaAndAdds) {
  const auto norm = forward();
  const double v = roundoff(GetParam().dtype);
  const double rstd = largest(norm.rstd);
  const double unit = 2 * largest(x) * rstd;
  const double g = largest(dy) * largest(weight);
  // dx = rstd (g - mean(g) - unit mean(g unit)): three terms, each with the error of a row's sums.
  const double bound = 4 * row_error() * rstd * g * (2 + unit * unit);
  auto expected = backward(false, tdx.tensor);
  expect_within(
      get(tdx.tensor), expected.dx, [&](std::size_t i) { return bound + v * std::abs(expected.dx[i]); }, "dx");
  // Down a column: `rows` terms, each with the error of its row's statistics.
  const auto rows = static_cast<double>(GetParam().rows);
  const double column = rows * largest(dy) * unit * (3 * row_error() + rows * roundoff(Dtype::f32));
  for (std::size_t i = 0; i < d_weight.size(); ++i) expected.d_weight[i] += d_weight[i];
  for (std::size_t i = 0; i < d_bias.size(); ++i) expected.d_bias[i] += d_bias[i];
  const double last = 4 * roundoff(Dtype::f32) * (largest(expected.d_weight) + largest(expected.d_bias) + 8);
  expect_within(
      get(td_weight.tensor), expected.d_weight, [&](std::size_t) { return column + last; }, "d_weight");
  if (GetParam().centred) {
    expect_within(
        get(td_bias.tensor), expected.d_bias, [&](std::size_t) { return column + last; }, "d_bias");
  }

  const Held added = machine.put(GetParam().dtype, tdx.tensor.shape, before);
  backward(true, added.tensor);
  for (std::size_t i = 0; i < before.size(); ++i) expected.dx[i] += before[i];
  expect_within(
      get(added.tensor), expected.dx,
      [&](std::size_t i) {
        return bound + 4 * roundoff(Dtype::f32) * std::abs(before[i]) + v * std::abs(expected.dx[i]);
      },
      "dx added to");
}

INSTANTIATE_TEST_SUITE_P(Shapes, NormTest,
                         ::testing::Values(Case{1, 1, Dtype::f32, true}, Case{3, 7, Dtype::f32, true},
                                           Case{70, 129, Dtype::f32, true}, Case{5, 1000, Dtype::f32, true},
                                           Case{3, 7, Dtype::bf16, true}, Case{70, 192, Dtype::bf16, true},
                                           Case{1, 1, Dtype::f32, false}, Case{3, 7, Dtype::f32, false},
                                           Case{70, 129, Dtype::f32, false}, Case{5, 1000, Dtype::f32, false},
                                           Case{3, 7, Dtype::bf16, false}, Case{70, 192, Dtype::bf16, false}));

}  // namespace
}  // namespace trireme::kernel_test
