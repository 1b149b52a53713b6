// SPDX-License-Identifier: Apache-2.0
// LayerNorm and RMSNorm with their gradients, each element within what fp32 explains.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/kernels/machine.h"

namespace trireme::kernel_test {
namespace {

struct Case {
  std::int64_t rows, width;
  Dtype dtype;
  bool centred;  // LayerNorm, otherwise RMSNorm
};

constexpr double kFirstOrder = 1.01;  // bounds leave out products of errors

/// How far fp32 may be from the formula, element by element; rounding to the dtype comes on top. With u the roundoff, a
/// sum of n terms in any order is off by (n - 1) u times the sum of their magnitudes.
class NormBounds {
 public:
  struct Input {
    const Values &x, &weight, &dy;
    bool centred;
  };

  NormBounds(const Input& in, const reference::Norm& norm) : in_(in), norm_(norm), width_(in.weight.size()) {
    for (std::size_t row = 0; row < norm.rstd.size(); ++row) add_row(row);
  }

  double mean(std::size_t row) const { return kFirstOrder * rows_[row].mean; }
  double rstd(std::size_t row) const { return kFirstOrder * rows_[row].rstd * norm_.rstd[row]; }
  /// unit * weight, and bias: two roundings besides the unit's.
  double y(std::size_t at, double y) const {
    const double w = std::abs(in_.weight[at % width_]);
    return kFirstOrder * (w * unit_error(at) + kU * (w * std::abs(unit(at)) + std::abs(y)));
  }
  /// dx = rstd (g - mean(g) - unit mean(g unit)), g = dy weight; `dx` is its value.
  double dx(std::size_t at, double dx) const {
    const Row& r = rows_[at / width_];
    const double after_mean = std::abs(g(at) - r.mean_g);
    const double along = std::abs(unit(at)) * r.mean_gx_error + unit_error(at) * std::abs(r.mean_gx) +
                         kU * std::abs(unit(at) * r.mean_gx);
    const double rstd = norm_.rstd[at / width_];
    const double inner = kU * (std::abs(g(at)) + after_mean) + r.mean_g_error + along;
    return kFirstOrder * (rstd * inner + (r.rstd + 2 * kU) * std::abs(dx));
  }
  /// dy * unit down a column; what is added to is not in it.
  double d_weight(std::size_t column) const {
    double error = 0.0;
    for (std::size_t at = column; at < in_.x.size(); at += width_) {
      error += std::abs(in_.dy[at]) * (unit_error(at) + (additions() + 1) * kU * std::abs(unit(at)));
    }
    return kFirstOrder * error;
  }
  double d_bias(std::size_t column) const {
    double error = 0.0;
    for (std::size_t at = column; at < in_.x.size(); at += width_) error += additions() * kU * std::abs(in_.dy[at]);
    return kFirstOrder * error;
  }

 private:
  static constexpr double kU = 0x1p-24;

  struct Row {
    double mean = 0.0, rstd = 0.0;  // absolute; relative
    double mean_g = 0.0, mean_g_error = 0.0, mean_gx = 0.0, mean_gx_error = 0.0;
  };

  void add_row(std::size_t row) {
    const auto n = static_cast<double>(width_);
    double magnitude = 0.0;
    double variance = 0.0;
    for (std::size_t at = row * width_; at < (row + 1) * width_; ++at) {
      magnitude += std::abs(in_.x[at]) / n;
      variance += centred(at) * centred(at) / n;
    }
    Row& r = rows_.emplace_back();
    // n - 1 additions and a division, which is exact for a single term.
    if (in_.centred) r.mean = (n - 1) * kU * magnitude + (width_ == 1 ? 0.0 : kU * std::abs(norm_.mean[row]));
    // Squares about a wrong mean are too large by its error squared; besides, two roundings of the difference, one of
    // the square, n - 1 additions, a division. A root halves a relative error; then eps, the root and the reciprocal.
    const double whole = 1.0 / (norm_.rstd[row] * norm_.rstd[row]);
    r.rstd = ((n + 3) * kU * variance + r.mean * r.mean) / whole / 2 + 2.5 * kU;
    for (std::size_t at = row * width_; at < (row + 1) * width_; ++at) {
      const double product = g(at) * unit(at);
      // Products have one rounding, or two, before n - 1 additions and a division.
      if (in_.centred) r.mean_g += g(at) / n;
      if (in_.centred) r.mean_g_error += (n + 1) * kU * std::abs(g(at)) / n;
      r.mean_gx += product / n;
      r.mean_gx_error += ((n + 2) * kU * std::abs(product) + std::abs(g(at)) * unit_error(at)) / n;
    }
  }

  double g(std::size_t at) const { return in_.dy[at] * in_.weight[at % width_]; }
  double centred(std::size_t at) const { return in_.x[at] - norm_.mean[at / width_]; }
  double unit(std::size_t at) const { return centred(at) * norm_.rstd[at / width_]; }
  /// (x - mean) * rstd: the errors of both, and two roundings, of which RMSNorm has one.
  double unit_error(std::size_t at) const {
    const Row& r = rows_[at / width_];
    return norm_.rstd[at / width_] * r.mean + std::abs(unit(at)) * (r.rstd + (in_.centred ? 2 : 1) * kU);
  }
  /// Rows are added in blocks of 32, and those to one another.
  double additions() const {
    const auto rows = static_cast<double>(norm_.rstd.size());
    return std::min(rows, 32.0) + rows / 32.0 + 1;
  }

  Input in_;
  reference::Norm norm_;
  std::size_t width_;
  std::vector<Row> rows_;
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

  Machine machine;
  Values x, weight, bias, dy, d_weight, d_bias, before;
  Held tx, tweight, tbias, tdy, td_weight, td_bias, tdx, ty, tmean, trstd;
};

TEST_P(NormTest, ForwardIsTheFormula) {
  const auto expected = forward();
  const NormBounds bounds({x, weight, dy, GetParam().centred}, expected);
  const double v = roundoff(GetParam().dtype);
  expect_within(
      get(ty.tensor), expected.y,
      [&](std::size_t i) { return bounds.y(i, expected.y[i]) + kFirstOrder * v * std::abs(expected.y[i]); }, "y");
  expect_within(
      get(trstd.tensor), expected.rstd, [&](std::size_t row) { return bounds.rstd(row); }, "rstd");
  if (GetParam().centred) {
    expect_within(
        get(tmean.tensor), expected.mean, [&](std::size_t row) { return bounds.mean(row); }, "mean");
  }
}

TEST_P(NormTest, BackwardIsTheFormulaAndAdds) {
  const NormBounds bounds({x, weight, dy, GetParam().centred}, forward());
  const double v = kFirstOrder * roundoff(GetParam().dtype);
  constexpr double kSum = kFirstOrder * 0x1p-24;
  auto expected = backward(false, tdx.tensor);
  expect_within(
      get(tdx.tensor), expected.dx,
      [&](std::size_t i) { return bounds.dx(i, expected.dx[i]) + v * std::abs(expected.dx[i]); }, "dx");
  const Values dx = expected.dx;
  for (std::size_t i = 0; i < d_weight.size(); ++i) expected.d_weight[i] += d_weight[i];
  for (std::size_t i = 0; i < d_bias.size(); ++i) expected.d_bias[i] += d_bias[i];
  expect_within(
      get(td_weight.tensor), expected.d_weight,
      [&](std::size_t i) { return bounds.d_weight(i) + kSum * std::abs(expected.d_weight[i]); }, "d_weight");
  if (GetParam().centred) {
    expect_within(
        get(td_bias.tensor), expected.d_bias,
        [&](std::size_t i) { return bounds.d_bias(i) + kSum * std::abs(expected.d_bias[i]); }, "d_bias");
  }

  const Held added = machine.put(GetParam().dtype, tdx.tensor.shape, before);
  backward(true, added.tensor);
  for (std::size_t i = 0; i < before.size(); ++i) expected.dx[i] += before[i];
  expect_within(
      get(added.tensor), expected.dx,
      [&](std::size_t i) { return bounds.dx(i, dx[i]) + (kSum + v) * std::abs(expected.dx[i]); }, "dx added to");
}

INSTANTIATE_TEST_SUITE_P(Shapes, NormTest,
                         ::testing::Values(Case{1, 1, Dtype::f32, true}, Case{37, 1, Dtype::f32, true},
                                           Case{37, 1, Dtype::bf16, true}, Case{37, 1000, Dtype::f32, true},
                                           Case{37, 1000, Dtype::bf16, true}, Case{3, 7, Dtype::f32, true},
                                           Case{70, 129, Dtype::f32, true}, Case{5, 1000, Dtype::f32, true},
                                           Case{3, 7, Dtype::bf16, true}, Case{70, 192, Dtype::bf16, true},
                                           Case{1, 1, Dtype::f32, false}, Case{37, 1, Dtype::f32, false},
                                           Case{37, 1, Dtype::bf16, false}, Case{37, 1000, Dtype::f32, false},
                                           Case{37, 1000, Dtype::bf16, false}, Case{3, 7, Dtype::f32, false},
                                           Case{70, 129, Dtype::f32, false}, Case{5, 1000, Dtype::f32, false},
                                           Case{3, 7, Dtype::bf16, false}, Case{70, 192, Dtype::bf16, false}));

/// Both sides of the widths at which a GPU's kernels give a row to more threads.
std::vector<Case> wide_cases() {
  std::vector<Case> all;
  for (const std::int64_t width : {256, 264, 512, 520, 768, 776, 1032, 1544, 1600, 2056, 8192, 8200, 16384, 16392}) {
    for (const bool centred : {true, false}) all.push_back({3, width, Dtype::bf16, centred});
  }
  for (const std::int64_t width : {128, 132, 260, 388, 1028, 4100, 8196}) {
    for (const bool centred : {true, false}) all.push_back({3, width, Dtype::f32, centred});
  }
  for (const std::int64_t width : {2053, 5001}) all.push_back({2, width, Dtype::bf16, true});
  return all;
}
INSTANTIATE_TEST_SUITE_P(Widths, NormTest, ::testing::ValuesIn(wide_cases()));

}  // namespace
}  // namespace trireme::kernel_test
