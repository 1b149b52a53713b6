// SPDX-License-Identifier: Apache-2.0
// GELU, SwiGLU, rotary positions, casts, sums of two tensors, and the exponential that they are made of.
#include <gtest/gtest.h>

#include <limits>

#include "kernels/cpu/kernel_table.h"
#include "tests/kernels/machine.h"

namespace trireme::kernel_test {
namespace {

constexpr double kExponential = 2.5e-7;  // lanes.h states this bound

TEST(Exponential, IsWithinItsStatedErrorOnEveryInstructionSet) {
  for (const auto set : {cpu::InstructionSet::baseline, cpu::InstructionSet::avx2, cpu::InstructionSet::avx512}) {
    const cpu::KernelTable* table = cpu::kernel_table(set);
    if (table == nullptr) continue;
    for (double x = -87.32; x < 88.72; x += 0.00137) {
      const auto argument = static_cast<float>(x);
      const double expected = std::exp(static_cast<double>(argument));
      ASSERT_NEAR(static_cast<double>(table->exponential(argument)) / expected, 1.0, kExponential) << argument;
    }
    EXPECT_EQ(table->exponential(0.0F), 1.0F);
    EXPECT_EQ(table->exponential(-88.0F), 0.0F);
    EXPECT_EQ(table->exponential(-std::numeric_limits<float>::infinity()), 0.0F);
    EXPECT_EQ(table->exponential(89.0F), std::numeric_limits<float>::infinity());
    EXPECT_TRUE(std::isnan(table->exponential(std::numeric_limits<float>::quiet_NaN())));
  }
}

class ElementwiseTest : public ::testing::TestWithParam<Dtype> {
 protected:
  /// `error` is absolute, of the fp32 computation; the result is then rounded.
  void expect_near(const Tensor& found, const Values& expected, double error, const std::string& what) {
    const double v = roundoff(GetParam());
    expect_within(
        get(found), expected, [&](std::size_t i) { return error + v * std::abs(expected[i]); }, what);
  }
  Machine machine{{.threads = 2, .inline_streams = true}};
};

Values wide(std::size_t count, unsigned seed) {
  Values values = normal(count, seed, 3.0);
  // Where one half of the formula vanishes.
  values[0] = 0.0;
  values[1] = -30.0;
  values[2] = 30.0;
  return values;
}

// A sigmoid of an argument z has absolute error <= u |z| / 4 (from z), kExponential / 4 and 2u; |z| <= 6|x| in GELU for
// |x| <= 10 where the sigmoid is not yet 0 or 1.
double sigmoid_error(double z) {
  return (kExponential + 8 * roundoff(Dtype::f32) * (1 + z)) / 4 + 2 * roundoff(Dtype::f32);
}

TEST_P(ElementwiseTest, GeluIsTheFormulaAlsoInPlace) {
  constexpr std::int64_t kRows = 37;
  constexpr std::int64_t kWidth = 333;
  Values x = wide(kRows * kWidth, 1);
  Values dy = normal(kRows * kWidth, 2);
  const Held tx = machine.put(GetParam(), {kRows, kWidth}, x);
  const Held tdy = machine.put(GetParam(), {kRows, kWidth}, dy);
  const Held ty = machine.make(GetParam(), {kRows, kWidth});
  machine.run(Gelu{.y = ty.tensor, .x = tx.tensor});
  const double error = sigmoid_error(60) * 31;
  expect_near(ty.tensor, reference::gelu(x), error, "y");
  // The slope: sigmoid + x s (1 - s) z'(x); s (1 - s) decays faster than x z' grows, its product stays below 2.
  const double slope_error = sigmoid_error(60) * (1 + 31 * 1.6 * (1 + 0.134 * 31 * 31));
  machine.run(GeluBackward{.dx = tdy.tensor, .dy = tdy.tensor, .x = tx.tensor});
  expect_near(tdy.tensor, reference::gelu_backward(dy, x), slope_error * largest(dy), "dx");
}

TEST_P(ElementwiseTest, SwiGluIsTheFormula) {
  for (const auto& [rows, width] : {std::pair<std::int64_t, std::int64_t>{1, 3}, {5, 7}, {33, 301}}) {
    const auto count = static_cast<std::size_t>(rows * width);
    Values gate_up = wide(2 * count, 1);
    Values dy = normal(count, 2);
    const Held tg = machine.put(GetParam(), {rows, 2 * width}, gate_up);
    const Held tdy = machine.put(GetParam(), {rows, width}, dy);
    const Held ty = machine.make(GetParam(), {rows, width});
    const Held td = machine.make(GetParam(), {rows, 2 * width});
    machine.run(SwiGlu{.y = ty.tensor, .gate_up = tg.tensor});
    const double most = largest(gate_up);
    expect_near(ty.tensor, reference::swiglu(gate_up, static_cast<std::size_t>(width)),
                sigmoid_error(most) * most * most, "y");
    machine.run(SwiGluBackward{.d_gate_up = td.tensor, .dy = tdy.tensor, .gate_up = tg.tensor});
    expect_near(td.tensor, reference::swiglu_backward(dy, gate_up, static_cast<std::size_t>(width)),
                sigmoid_error(most) * (1 + 2 * most) * most * largest(dy), "d_gate_up");
  }
}

TEST_P(ElementwiseTest, RopeIsTheFormulaAndItsInverseUndoesIt) {
  constexpr std::int64_t kRows = 19;
  constexpr std::int64_t kHeads = 5;
  constexpr std::int64_t kRotated = 3;
  for (const std::int64_t size : {2, 6, 64}) {
    const auto half = static_cast<std::size_t>(size / 2);
    Values frequency, table, x = normal(static_cast<std::size_t>(kRows * kHeads * size), 1);
    Index positions;
    for (std::size_t i = 0; i < half; ++i)
      frequency.push_back(std::pow(100.0, -static_cast<double>(i) / static_cast<double>(half)));
    for (int p = 0; p < 40; ++p) {
      for (const double f : frequency) table.push_back(std::cos(p * f));
      for (const double f : frequency) table.push_back(std::sin(p * f));
    }
    for (std::int32_t row = 0; row < kRows; ++row) positions.push_back((row * 7) % 40);
    const Held tx = machine.put(GetParam(), {kRows, kHeads, size}, x);
    const Held tp = machine.put({kRows}, positions);
    const Held tt = machine.put(Dtype::f32, {40, size}, table);
    Rope op{.x = tx.tensor, .positions = tp.tensor, .cos_sin = tt.tensor, .rotated_heads = kRotated};
    machine.run(op);
    const double error = 6 * roundoff(Dtype::f32) * largest(x);
    const Values expected = reference::rope(x, positions, frequency, kHeads, kRotated, false);
    expect_near(tx.tensor, expected, error, "rotated");
    EXPECT_GT(std::abs(expected[static_cast<std::size_t>(kHeads * size)] - x[static_cast<std::size_t>(kHeads * size)]),
              1e-3);
    const Values rotated = get(tx.tensor);
    op.inverse = true;
    machine.run(op);
    expect_near(tx.tensor, reference::rope(rotated, positions, frequency, kHeads, kRotated, true), error, "back");
  }
}

TEST_P(ElementwiseTest, AddAlsoInPlace) {
  Values a = normal(20001, 1), b = normal(20001, 2), sum;
  const Held ta = machine.put(GetParam(), {20001}, a), tb = machine.put(GetParam(), {20001}, b);
  const Held ty = machine.make(GetParam(), {20001});
  for (std::size_t i = 0; i < a.size(); ++i) sum.push_back(a[i] + b[i]);
  machine.run(Add{.y = ty.tensor, .a = ta.tensor, .b = tb.tensor});
  expect_near(ty.tensor, sum, roundoff(Dtype::f32) * 16, "y");
  machine.run(Add{.y = ta.tensor, .a = ta.tensor, .b = tb.tensor});
  EXPECT_EQ(bits(ta.tensor), bits(ty.tensor));
  const Held again = machine.put(GetParam(), {20001}, a);
  machine.run(Add{.y = tb.tensor, .a = again.tensor, .b = tb.tensor});
  EXPECT_EQ(bits(tb.tensor), bits(ty.tensor));
}

INSTANTIATE_TEST_SUITE_P(Dtypes, ElementwiseTest, ::testing::Values(Dtype::f32, Dtype::bf16));

TEST(Cast, RoundsToNearestEvenAndKeepsWhatIsNotANumber) {
  Machine machine;
  Values values = normal(9001, 1, 1e3);
  values[0] = 1.0 + std::ldexp(1.0, -8);  // half way: to even, down
  values[1] = 1.0 + std::ldexp(3.0, -8);  // half way: to even, up
  values[2] = -std::numeric_limits<double>::infinity();
  values[3] = std::ldexp(1.0, -130);  // subnormal in fp32
  const Held x = machine.put(Dtype::f32, {9001}, values);
  x.tensor.as<float>()[4] = std::numeric_limits<float>::quiet_NaN();
  const Held y = machine.make(Dtype::bf16, {9001});
  const Held back = machine.make(Dtype::f32, {9001});
  machine.run(Cast{.y = y.tensor, .x = x.tensor});
  machine.run(Cast{.y = back.tensor, .x = y.tensor});
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Bf16 expected(x.tensor.as<float>()[i]);
    ASSERT_EQ(y.tensor.as<Bf16>()[i].bits, expected.bits) << i;
    if (i != 4) {
      ASSERT_EQ(back.tensor.as<float>()[i], static_cast<float>(expected)) << i;
    }
  }
  EXPECT_EQ(back.tensor.as<float>()[0], 1.0F);
  EXPECT_EQ(back.tensor.as<float>()[1], 1.0F + std::ldexp(4.0F, -8));
  EXPECT_TRUE(std::isnan(back.tensor.as<float>()[4]));
}

}  // namespace
}  // namespace trireme::kernel_test
