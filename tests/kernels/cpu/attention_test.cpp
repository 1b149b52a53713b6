// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/kernels/machine.h"

namespace trireme::kernel_test {
namespace {

struct Case {
  std::int64_t batch, time, heads, kv_heads, size;
  Dtype dtype;
  bool documents;
};
const Case kCases[] = {
    {1, 1, 1, 1, 2, Dtype::f32, false},     {2, 5, 3, 1, 6, Dtype::f32, true},    {1, 64, 2, 2, 64, Dtype::f32, false},
    {2, 65, 2, 1, 20, Dtype::f32, false},   {1, 150, 4, 2, 16, Dtype::f32, true}, {1, 257, 1, 1, 33, Dtype::f32, true},
    {1, 130, 2, 2, 128, Dtype::f32, false}, {2, 5, 3, 1, 6, Dtype::bf16, true},   {1, 64, 2, 2, 64, Dtype::bf16, false},
    {1, 150, 4, 2, 16, Dtype::bf16, true},  {2, 65, 2, 1, 20, Dtype::bf16, false}};

/// Documents of growing length: 1, 4, 9, ... positions, then one that covers whole tiles of keys.
Index document_starts(const Case& c) {
  Index starts;
  for (std::int64_t b = 0; b < c.batch; ++b) {
    std::int32_t start = 0;
    std::int32_t next = 1 + static_cast<std::int32_t>(b);
    for (std::int32_t t = 0; t < c.time; ++t) {
      if (t == next) {
        start = t;
        next = t + 4 + t * 2;
      }
      starts.push_back(start);
    }
  }
  return starts;
}

reference::AttentionSizes sizes(const Case& c) {
  return {static_cast<std::size_t>(c.batch), static_cast<std::size_t>(c.time),
          static_cast<std::size_t>(c.heads), static_cast<std::size_t>(c.kv_heads),
          static_cast<std::size_t>(c.size),  static_cast<double>(1.0F / std::sqrt(static_cast<float>(c.size)))};
}

class AttentionTest : public ::testing::TestWithParam<Case> {
 protected:
  /// Runs forward and backward; y and lse that backward reads are those that forward wrote.
  void run(Machine& machine) {
    const Case& c = GetParam();
    const Shape packed = {c.batch, c.time, c.heads + 2 * c.kv_heads, c.size};
    const Shape out = {c.batch, c.time, c.heads, c.size};
    const Shape rows = {c.batch, c.heads, c.time};
    qkv = normal(static_cast<std::size_t>(packed.elements()), 1);
    dy = normal(static_cast<std::size_t>(out.elements()), 2);
    if (c.documents) starts = document_starts(c);
    tqkv = machine.put(c.dtype, packed, qkv);
    tdy = machine.put(c.dtype, out, dy);
    ty = machine.make(c.dtype, out);
    td = machine.make(c.dtype, packed);
    tlse = machine.make(Dtype::f32, rows);
    tdot = machine.make(Dtype::f32, rows);
    if (c.documents) tstart = machine.put({c.batch, c.time}, starts);
    const auto scale = static_cast<float>(sizes(c).scale);
    machine.run(Attention{.y = ty.tensor,
                          .lse = tlse.tensor,
                          .qkv = tqkv.tensor,
                          .document_start = tstart.tensor,
                          .heads = c.heads,
                          .kv_heads = c.kv_heads,
                          .scale = scale});
    machine.run(AttentionBackward{.d_qkv = td.tensor,
                                  .dy = tdy.tensor,
                                  .y = ty.tensor,
                                  .lse = tlse.tensor,
                                  .qkv = tqkv.tensor,
                                  .document_start = tstart.tensor,
                                  .row_dot = tdot.tensor,
                                  .heads = c.heads,
                                  .kv_heads = c.kv_heads,
                                  .scale = scale});
  }

  Machine one{{.threads = 1, .inline_streams = true}};
  Machine two{{.threads = 2, .inline_streams = false}};
  Values qkv, dy;
  Index starts;
  Held tqkv, tdy, ty, td, tlse, tdot, tstart;
};

TEST_P(AttentionTest, ForwardAndBackwardAreTheFormula) {
  const Case& c = GetParam();
  run(one);
  const auto expected = reference::attention(qkv, starts, sizes(c));
  const Values gradient = reference::attention_backward(dy, qkv, starts, sizes(c));
  const double u = roundoff(Dtype::f32);
  const double v = roundoff(c.dtype);
  const double x = largest(qkv);
  const double g = largest(dy);
  const auto size = static_cast<double>(c.size);
  const auto time = static_cast<double>(c.time);
  const double scale = sizes(c).scale;
  // Scores: `size` products of at most x^2. A probability's relative error is that of its score and its log-sum-exp, an
  // exponential (4u) and sums over `time`.
  const double score = 1.01 * (size + 3) * u * size * x * x * scale;
  const double relative = 2 * score + (time + 8) * u;
  const double largest_lse = largest(expected.lse);
  expect_within(
      get(tlse.tensor), expected.lse, [&](std::size_t) { return relative + u * largest_lse; }, "lse");
  // y is an average of values; it is rounded to its dtype.
  const double y_bound = 1.01 * (relative + 2 * time * u) * x;
  expect_within(
      get(ty.tensor), expected.y, [&](std::size_t i) { return y_bound + v * std::abs(expected.y[i]); }, "y");
  // dS = P (dP - D) scale: dP and D sum `size` products of at most g x; D also carries the rounding of y.
  const double rounded_y = size * g * (y_bound + v * x);
  const double d_score =
      ((relative + 2 * largest_lse * u) * 2 * size * g * x + 1.01 * 2 * size * u * size * g * x + rounded_y) * scale;
  // Each gradient sums over keys (weights add up to 1) or over at most time * group queries.
  const auto queries = time * static_cast<double>(c.heads / c.kv_heads);
  const double terms = 2 * size * g * x * scale * x;
  const double bound =
      queries * (d_score * x + (relative + 2 * largest_lse * u) * g) + queries * u * queries * (terms + g);
  expect_within(
      get(td.tensor), gradient, [&](std::size_t i) { return bound + v * std::abs(gradient[i]); }, "d_qkv");
}

TEST_P(AttentionTest, ThreadsDoNotChangeTheBits) {
  run(one);
  const std::string y = bits(ty.tensor);
  const std::string d = bits(td.tensor);
  const std::string lse = bits(tlse.tensor);
  run(two);
  EXPECT_EQ(y, bits(ty.tensor));
  EXPECT_EQ(d, bits(td.tensor));
  EXPECT_EQ(lse, bits(tlse.tensor));
}

INSTANTIATE_TEST_SUITE_P(Shapes, AttentionTest, ::testing::ValuesIn(kCases));

}  // namespace
}  // namespace trireme::kernel_test
