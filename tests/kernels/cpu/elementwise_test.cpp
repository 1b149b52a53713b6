// SPDX-License-Identifier: Apache-2.0
// GELU, SwiGLU, rotary positions, casts, sums of two tensors, and the exponential that they are made of.
#include <gtest/gtest.h>

#include <limits>

#include "kernels/cpu/kernel_table.h"
#include "tests/kernels/machine.h"

namespace trireme::kernel_test {
namespace {

constexpr double kExponential = 2.5e-7;  // lanes.h states this bound
constexpr double kRoundoff = 0x1p-24;    // of fp32

TEST(Exponential, IsWithinItsStatedErrorOnEveryInstructionSet) {
  for (const auto set : {cpu::InstructionSet::baseline, cpu::InstructionSet::avx2, cpu::InstructionSet::avx512}) {
    const cpu::KernelTable* table = cpu::kernel_table(set);
    if (table == nullptr) continue;
    constexpr int kArguments = 128'497;
    for (int i = 0; i < kArguments; ++i) {
      const auto argument = static_cast<float>(-87.32 + 0.00137 * i);
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
  /// error(i) is absolute, of the fp32 computation; the result is then rounded.
  template <class Error>
  void expect_near(const Tensor& found, const Values& expected, const Error& error, const std::string& what) {
    const double v = roundoff(GetParam()) + 4 * kRoundoff;
    const auto bound = [&](std::size_t i) { return 1.01 * (error(i) + v * std::abs(expected[i])); };
    expect_within(get(found), expected, bound, what);
  }
  /// Sums of `rows` values and one that was there, in fp32 and any order.
  static void expect_column_sums(const Tensor& found, const Values& before, const Values& x, std::size_t rows) {
    const std::size_t columns = before.size();
    Values expected = reference::column_sums(x, rows, columns);
    Values magnitudes = x;
    for (double& value : magnitudes) value = std::abs(value);
    Values sizes = reference::column_sums(magnitudes, rows, columns);
    for (std::size_t c = 0; c < columns; ++c) {
      expected[c] += before[c];
      sizes[c] += std::abs(before[c]);
    }
    const double factor = static_cast<double>(rows + 1) * kRoundoff;
    expect_within(
        get(found), expected, [&](std::size_t c) { return 1.01 * factor * sizes[c]; }, "d_bias");
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

double sigmoid(double z) { return 1.0 / (1.0 + std::exp(-z)); }

/// Of the kernels' sigmoid at z: the slope s (1 - s) times the error of the argument (a few roundings of z) and of the
/// exponential, and three roundings of the result.
double sigmoid_error(double z) {
  return sigmoid(z) * sigmoid(-z) * (kExponential + 8 * kRoundoff * (1 + std::abs(z))) + 3 * kRoundoff;
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
  constexpr double kC = 1.5957691216057308;
  const auto z = [&](std::size_t i) { return kC * (x[i] + 0.044715 * x[i] * x[i] * x[i]); };
  expect_near(
      ty.tensor, reference::gelu(x), [&](std::size_t i) { return std::abs(x[i]) * sigmoid_error(z(i)); }, "y");
  // The slope is s + x s (1 - s) z'(x); s (1 - s) has the error of s, and that of the subtraction.
  const auto slope_error = [&](std::size_t i) {
    const double factor = std::abs(x[i]) * kC * (1 + 3 * 0.044715 * x[i] * x[i]);
    const double product = sigmoid(z(i)) * sigmoid(-z(i));
    return std::abs(dy[i]) * (sigmoid_error(z(i)) * (1 + factor) + factor * kRoundoff * (1 + 8 * product));
  };
  const Held again = machine.put(GetParam(), {kRows, kWidth}, dy);
  machine.run(GeluBackward{.dx = tdy.tensor, .dy = tdy.tensor, .x = tx.tensor, .d_bias = {}});
  expect_near(tdy.tensor, reference::gelu_backward(dy, x), slope_error, "dx");
  // With the sums down its columns: the same bits, and what enters the sums is what is stored.
  Values sums = normal(kWidth, 3);
  const Held d_bias = machine.put(Dtype::f32, {kWidth}, sums);
  machine.run(GeluBackward{.dx = again.tensor, .dy = again.tensor, .x = tx.tensor, .d_bias = d_bias.tensor});
  const Values stored = get(again.tensor);
  EXPECT_EQ(stored, get(tdy.tensor));
  expect_column_sums(d_bias.tensor, sums, stored, kRows);
}

// Columns in whole words, and rows for many parts of the sums; a single row.
TEST_P(ElementwiseTest, GeluAddsTheSumsOfItsGradient) {
  for (const auto& [rows, width] : {std::pair<std::int64_t, std::int64_t>{1, 8}, {1001, 320}, {4099, 72}}) {
    const auto count = static_cast<std::size_t>(rows * width);
    Values x = normal(count, 1);
    Values dy = normal(count, 2);
    Values sums = normal(static_cast<std::size_t>(width), 3);
    const Held tx = machine.put(GetParam(), {rows, width}, x);
    const Held tdy = machine.put(GetParam(), {rows, width}, dy);
    const Held dx = machine.make(GetParam(), {rows, width});
    const Held d_bias = machine.put(Dtype::f32, {width}, sums);
    machine.run(GeluBackward{.dx = dx.tensor, .dy = tdy.tensor, .x = tx.tensor, .d_bias = {}});
    const Values alone = get(dx.tensor);
    machine.run(GeluBackward{.dx = dx.tensor, .dy = tdy.tensor, .x = tx.tensor, .d_bias = d_bias.tensor});
    EXPECT_EQ(get(dx.tensor), alone);
    expect_column_sums(d_bias.tensor, sums, alone, static_cast<std::size_t>(rows));
  }
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
    const auto w = static_cast<std::size_t>(width);
    const auto gate = [&](std::size_t row, std::size_t i) { return gate_up[row * 2 * w + i]; };
    const auto up = [&](std::size_t row, std::size_t i) { return gate_up[row * 2 * w + w + i]; };
    const auto y_error = [&](std::size_t at) {
      const double g = gate(at / w, at % w);
      return std::abs(g * up(at / w, at % w)) * sigmoid_error(g);
    };
    expect_near(ty.tensor, reference::swiglu(gate_up, w), y_error, "y");
    machine.run(SwiGluBackward{.d_gate_up = td.tensor, .dy = tdy.tensor, .gate_up = tg.tensor});
    // d_gate = dy u s (1 + g (1 - s)); d_up = dy g s.
    const auto d_error = [&](std::size_t at) {
      const std::size_t row = at / (2 * w);
      const std::size_t i = at % w;
      const double g = gate(row, i);
      const double d = std::abs(dy[row * w + i]);
      if (at % (2 * w) >= w) return d * std::abs(g) * sigmoid_error(g);
      const double inner = 1 + std::abs(g) * sigmoid(-g);
      const double inner_error = std::abs(g) * (sigmoid_error(g) + kRoundoff) + 3 * kRoundoff * inner;
      return d * std::abs(up(row, i)) * (sigmoid_error(g) * inner + sigmoid(g) * inner_error);
    };
    expect_near(td.tensor, reference::swiglu_backward(dy, gate_up, w), d_error, "d_gate_up");
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
    for (std::size_t i = 0; i < half; ++i) {
      frequency.push_back(std::pow(100.0, -static_cast<double>(i) / static_cast<double>(half)));
    }
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
    const auto error = [&](std::size_t) { return 6 * kRoundoff * largest(x); };
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
  expect_near(
      ty.tensor, sum, [](std::size_t) { return 0.0; }, "y");
  machine.run(Add{.y = ta.tensor, .a = ta.tensor, .b = tb.tensor});
  EXPECT_EQ(bits(ta.tensor), bits(ty.tensor));
  const Held again = machine.put(GetParam(), {20001}, a);
  machine.run(Add{.y = tb.tensor, .a = again.tensor, .b = tb.tensor});
  EXPECT_EQ(bits(tb.tensor), bits(ty.tensor));
}

TEST_P(ElementwiseTest, AddWithBiasRoundsOnceAlsoInPlace) {
  for (const auto& [rows, width] : {std::pair<std::int64_t, std::int64_t>{1, 1}, {5, 7}, {37, 1003}}) {
    const Shape matrix = {rows, width};
    const auto count = static_cast<std::size_t>(rows * width);
    Values a = normal(count, 1), b = normal(count, 2), bias = normal(static_cast<std::size_t>(width), 3), sum;
    const Held ta = machine.put(GetParam(), matrix, a), tb = machine.put(GetParam(), matrix, b);
    const Held tbias = machine.put(GetParam(), {width}, bias), ty = machine.make(GetParam(), matrix);
    for (std::size_t i = 0; i < count; ++i) sum.push_back(a[i] + b[i] + bias[i % static_cast<std::size_t>(width)]);
    machine.run(Add{.y = ty.tensor, .a = ta.tensor, .b = tb.tensor, .bias = tbias.tensor});
    // The first sum is rounded to fp32; it may be far larger than the second.
    expect_near(
        ty.tensor, sum, [&](std::size_t i) { return kRoundoff * std::abs(a[i] + b[i]); }, "y");
    const Held again = machine.put(GetParam(), matrix, a);
    machine.run(Add{.y = ta.tensor, .a = ta.tensor, .b = tb.tensor, .bias = tbias.tensor});
    EXPECT_EQ(bits(ta.tensor), bits(ty.tensor));
    machine.run(Add{.y = tb.tensor, .a = again.tensor, .b = tb.tensor, .bias = tbias.tensor});
    EXPECT_EQ(bits(tb.tensor), bits(ty.tensor));
  }
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
    if (i != 4) {
      ASSERT_EQ(y.tensor.as<Bf16>()[i].bits, expected.bits) << i;
      ASSERT_EQ(back.tensor.as<float>()[i], static_cast<float>(expected)) << i;
    }
  }
  EXPECT_EQ(back.tensor.as<float>()[0], 1.0F);
  EXPECT_EQ(back.tensor.as<float>()[1], 1.0F + std::ldexp(4.0F, -8));
  EXPECT_TRUE(std::isnan(back.tensor.as<float>()[4]));
}

}  // namespace
}  // namespace trireme::kernel_test
