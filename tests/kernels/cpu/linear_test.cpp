// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/kernels/machine.h"
#include "tests/kernels/test_device.h"

namespace trireme::kernel_test {
namespace {

struct Case {
  std::size_t n, i, o;
  Dtype dtype;
};
const Case kCases[] = {{1, 1, 1, Dtype::f32},      {3, 5, 7, Dtype::f32},      {17, 33, 65, Dtype::f32},
                       {64, 96, 48, Dtype::f32},   {130, 257, 51, Dtype::f32}, {1, 1, 1, Dtype::bf16},
                       {3, 5, 7, Dtype::bf16},     {17, 33, 65, Dtype::bf16},  {64, 96, 48, Dtype::bf16},
                       {130, 257, 51, Dtype::bf16}};

Shape matrix(std::size_t rows, std::size_t columns) {
  return {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns)};
}
Shape vector(std::size_t count) { return {static_cast<std::int64_t>(count)}; }

Values magnitudes(Values values) {
  for (double& v : values) v = std::abs(v);
  return values;
}

/// A sum of `length` products in fp32 in any order is off by at most length * u * (sum of magnitudes) (Higham 2002,
/// 3.5), u = 2^-24; then the result is rounded to its dtype.
auto product_bound(const Values& expected, const Values& magnitude, std::size_t length, Dtype output) {
  return [&expected, &magnitude, length, output](std::size_t i) {
    const double sum = static_cast<double>(length + 2) * roundoff(Dtype::f32) * magnitude[i];
    return 1.01 * sum + roundoff(output) * (std::abs(expected[i]) + sum);
  };
}

/// cuBLASLt may round to the output's dtype before it adds: the product, and what one of two addends has made of it.
double rounded_before(double product, double bias, double residual, Dtype output) {
  if (!tests_on_cuda() || (bias == 0.0 && residual == 0.0)) return 0.0;
  const bool both = bias != 0.0 && residual != 0.0;
  const double second = both ? std::max(std::abs(product + bias), std::abs(product + residual)) : 0.0;
  return 1.01 * roundoff(output) * (std::abs(product) + second);
}

class LinearTest : public ::testing::TestWithParam<Case> {};

TEST_P(LinearTest, ForwardIsTheFormula) {
  const auto [n, i, o, dtype] = GetParam();
  Machine machine;
  Values x = normal(n * i, 1), w = normal(o * i, 2), bias = normal(o, 3), residual = normal(n * o, 4);
  const Held tx = machine.put(dtype, matrix(n, i), x), tw = machine.put(dtype, matrix(o, i), w);
  const Held tb = machine.put(dtype, vector(o), bias);
  for (const bool with_bias : {false, true}) {
    for (const bool with_residual : {false, true}) {
      for (const Dtype output : {dtype, Dtype::f32}) {
        const Values b = with_bias ? bias : Values();
        for (const bool in_place : {false, true}) {
          if (in_place && !(with_residual && output == dtype)) continue;
          const Held tr = machine.put(dtype, matrix(n, o), residual);
          const Values r = with_residual ? residual : Values();
          const Held ty = machine.make(output, matrix(n, o));
          const Tensor y = in_place ? tr.tensor : ty.tensor;
          machine.run(Linear{.y = y,
                             .x = tx.tensor,
                             .weight = tw.tensor,
                             .bias = with_bias ? tb.tensor : Tensor(),
                             .residual = with_residual ? tr.tensor : Tensor()});
          const Values expected = reference::linear(x, w, b, r, n, i, o);
          const Values size = reference::linear(magnitudes(x), magnitudes(w), magnitudes(b), magnitudes(r), n, i, o);
          const auto bound = product_bound(expected, size, i, output);
          const auto early = [&](std::size_t at) {
            const double own_bias = with_bias ? b[at % b.size()] : 0.0;
            const double own_residual = with_residual ? r[at] : 0.0;
            return rounded_before(expected[at] - own_bias - own_residual, own_bias, own_residual, output);
          };
          expect_within(
              get(y), expected, [&](std::size_t at) { return bound(at) + early(at); }, "y");
        }
      }
    }
  }
}

TEST_P(LinearTest, BackwardIsTheFormulaAndAdds) {
  const auto [n, i, o, dtype] = GetParam();
  Machine machine;
  Values dy = normal(n * o, 1), w = normal(o * i, 2), x = normal(n * i, 3), before = normal(n * i, 4);
  Values dw = normal(o * i, 5), db = normal(o, 6);
  const Held tdy = machine.put(dtype, matrix(n, o), dy), tw = machine.put(dtype, matrix(o, i), w);
  const Held tx = machine.put(dtype, matrix(n, i), x);
  const Held tdw = machine.put(Dtype::f32, matrix(o, i), dw), tdb = machine.put(Dtype::f32, vector(o), db);
  for (const bool accumulate : {false, true}) {
    const Held tdx = machine.put(dtype, matrix(n, i), before);
    machine.run(LinearBackwardInput{.dx = tdx.tensor, .dy = tdy.tensor, .weight = tw.tensor, .accumulate = accumulate});
    Values expected = reference::linear_backward_input(dy, w, n, i, o);
    Values size = reference::linear_backward_input(magnitudes(dy), magnitudes(w), n, i, o);
    for (std::size_t at = 0; at < before.size() && accumulate; ++at) {
      expected[at] += before[at];
      size[at] += std::abs(before[at]);
    }
    const auto bound = product_bound(expected, size, o, dtype);
    expect_within(
        get(tdx.tensor), expected,
        [&](std::size_t at) {
          const double added = accumulate ? before[at] : 0.0;
          return bound(at) + rounded_before(expected[at] - added, 0.0, added, tdx.tensor.dtype);
        },
        "dx");
  }
  machine.run(LinearBackwardWeight{.d_weight = tdw.tensor, .d_bias = tdb.tensor, .dy = tdy.tensor, .x = tx.tensor});
  Values expected = reference::linear_backward_weight(dy, x, n, i, o);
  Values size = reference::linear_backward_weight(magnitudes(dy), magnitudes(x), n, i, o);
  for (std::size_t at = 0; at < dw.size(); ++at) {
    expected[at] += dw[at];
    size[at] += std::abs(dw[at]);
  }
  expect_within(get(tdw.tensor), expected, product_bound(expected, size, n, Dtype::f32), "d_weight");
  Values sums = reference::column_sums(dy, n, o);
  Values sizes = reference::column_sums(magnitudes(dy), n, o);
  for (std::size_t at = 0; at < db.size(); ++at) {
    sums[at] += db[at];
    sizes[at] += std::abs(db[at]);
  }
  expect_within(get(tdb.tensor), sums, product_bound(sums, sizes, n, Dtype::f32), "d_bias");
}

INSTANTIATE_TEST_SUITE_P(Shapes, LinearTest, ::testing::ValuesIn(kCases));

}  // namespace
}  // namespace trireme::kernel_test
