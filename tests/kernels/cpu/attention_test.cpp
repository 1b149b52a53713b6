// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/kernels/machine.h"
#include "tests/kernels/test_device.h"

namespace trireme::kernel_test {
namespace {

struct Case {
  std::int64_t batch, time, heads, kv_heads, size;
  Dtype dtype;
  bool documents;
};
const Case kCases[] = {{1, 1, 1, 1, 2, Dtype::f32, false},      {2, 5, 3, 1, 6, Dtype::f32, true},
                       {1, 64, 2, 2, 64, Dtype::f32, false},    {2, 65, 2, 1, 20, Dtype::f32, false},
                       {1, 150, 4, 2, 16, Dtype::f32, true},    {1, 257, 1, 1, 33, Dtype::f32, true},
                       {1, 130, 2, 2, 128, Dtype::f32, false},  {2, 5, 3, 1, 6, Dtype::bf16, true},
                       {1, 64, 2, 2, 64, Dtype::bf16, false},   {1, 150, 4, 2, 16, Dtype::bf16, true},
                       {2, 65, 2, 1, 20, Dtype::bf16, false},   {2, 96, 4, 2, 64, Dtype::bf16, false},
                       {1, 131, 3, 1, 128, Dtype::bf16, false}, {2, 150, 4, 2, 64, Dtype::bf16, true},
                       {1, 131, 3, 1, 128, Dtype::bf16, true}};

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

/// What fp32 arithmetic and the dtype's rounding can do to each element, from the magnitudes that really occur in its
/// sums: a sum of n products is off by at most (n + 3) u times the sum of their magnitudes (Higham 2002, 3.5).
struct AttentionError {
  Values y, lse, d_qkv;
};

AttentionError attention_error(const Values& qkv, const Values& dy, const Values& y, const Index& starts,
                               const Case& c) {
  const auto s = sizes(c);
  const double u = roundoff(Dtype::f32);
  const double v = roundoff(c.dtype);
  // Matrix units take probabilities and their gradients in the dtype of the tensors; the CPU's kernels keep fp32.
  const double factor = tests_on_cuda() ? v : 0.0;
  // They also round each query head's share of a key's gradient before the heads of a group are added.
  const double share = c.heads == c.kv_heads ? factor : 2 * factor;
  const double products = (static_cast<double>(s.size) + 3) * u;
  const std::size_t packed = s.heads + 2 * s.kv_heads;
  AttentionError error{Values(y.size()), Values(s.batch * s.heads * s.time), Values(qkv.size())};
  for (std::size_t b = 0; b < s.batch; ++b) {
    for (std::size_t h = 0; h < s.heads; ++h) {
      const auto at = [&](std::size_t t, std::size_t head) { return ((b * s.time + t) * packed + head) * s.size; };
      const std::size_t g = s.heads + h / (s.heads / s.kv_heads);
      for (std::size_t t = 0; t < s.time; ++t) {
        const std::size_t first = starts.empty() ? 0 : static_cast<std::size_t>(starts[b * s.time + t]);
        const std::size_t out = ((b * s.time + t) * s.heads + h) * s.size;
        const double keys = static_cast<double>(t - first + 1);
        Values score(s.time), slope(s.time), slope_size(s.time);
        double total = 0.0, worst = 0.0, dot = 0.0, dot_size = 0.0;
        for (std::size_t k = 0; k < s.size; ++k) {
          dot += dy[out + k] * y[out + k];
          dot_size += std::abs(dy[out + k] * y[out + k]);
        }
        for (std::size_t j = first; j <= t; ++j) {
          double size = 0.0;
          for (std::size_t k = 0; k < s.size; ++k) {
            score[j] += s.scale * qkv[at(t, h) + k] * qkv[at(j, g) + k];
            size += s.scale * std::abs(qkv[at(t, h) + k] * qkv[at(j, g) + k]);
            slope[j] += dy[out + k] * qkv[at(j, g + s.kv_heads) + k];
            slope_size[j] += std::abs(dy[out + k] * qkv[at(j, g + s.kv_heads) + k]);
          }
          total += std::exp(score[j]);
          worst = std::max(worst, products * size + 2 * u * std::abs(score[j]));
        }
        // Of a probability: its score, the log-sum-exp (also as it is stored), the exponential, and sums over keys.
        const double lse = std::log(total);
        const double relative = 2 * worst + (keys + 8) * u + 4 * u * std::abs(lse);
        error.lse[(b * s.heads + h) * s.time + t] = relative;
        for (std::size_t k = 0; k < s.size; ++k) error.y[out + k] = v * std::abs(y[out + k]);
        // y was made with rounded probabilities.
        double rounded_dot = 0.0;
        for (std::size_t j = first; j <= t; ++j) rounded_dot += factor * std::exp(score[j] - lse) * slope_size[j];
        const double dot_error = (products + v) * dot_size + 2 * relative * dot_size + u * std::abs(dot) + rounded_dot;
        for (std::size_t j = first; j <= t; ++j) {
          const double p = std::exp(score[j] - lse);
          const double term = p * std::abs(slope[j] - dot) * s.scale;
          const double term_error =
              (relative + factor) * term + p * s.scale * (products * slope_size[j] + dot_error) + 4 * u * term;
          // Sums over keys or queries have at most time * (heads / kv_heads) terms.
          const std::size_t sharing = s.heads / s.kv_heads;
          const double sum = (static_cast<double>(s.time * sharing) + 3) * u;
          for (std::size_t k = 0; k < s.size; ++k) {
            error.y[out + k] += (relative + sum + factor) * p * std::abs(qkv[at(j, g + s.kv_heads) + k]);
            error.d_qkv[at(t, h) + k] += (term_error + sum * term) * std::abs(qkv[at(j, g) + k]);
            error.d_qkv[at(j, g) + k] += (term_error + (sum + share - factor) * term) * std::abs(qkv[at(t, h) + k]);
            error.d_qkv[at(j, g + s.kv_heads) + k] += (relative + sum + share) * p * std::abs(dy[out + k]);
          }
        }
      }
    }
  }
  return error;
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
    const DocumentLengths documents = c.documents ? document_lengths(tstart.tensor) : DocumentLengths{};
    const auto scale = static_cast<float>(sizes(c).scale);
    machine.run(Attention{.y = ty.tensor,
                          .lse = tlse.tensor,
                          .qkv = tqkv.tensor,
                          .document_start = tstart.tensor,
                          .heads = c.heads,
                          .kv_heads = c.kv_heads,
                          .scale = scale,
                          .documents = documents});
    machine.run(AttentionBackward{.d_qkv = td.tensor,
                                  .dy = tdy.tensor,
                                  .y = ty.tensor,
                                  .lse = tlse.tensor,
                                  .qkv = tqkv.tensor,
                                  .document_start = tstart.tensor,
                                  .row_dot = tdot.tensor,
                                  .heads = c.heads,
                                  .kv_heads = c.kv_heads,
                                  .scale = scale,
                                  .documents = documents});
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
  const AttentionError error = attention_error(qkv, dy, expected.y, starts, c);
  expect_within(
      get(tlse.tensor), expected.lse, [&](std::size_t i) { return error.lse[i]; }, "lse");
  expect_within(
      get(ty.tensor), expected.y, [&](std::size_t i) { return 1.01 * error.y[i]; }, "y");
  const double v = roundoff(c.dtype);
  const auto bound = [&](std::size_t i) { return 1.01 * error.d_qkv[i] + v * std::abs(gradient[i]); };
  expect_within(get(td.tensor), gradient, bound, "d_qkv");
  // The bound has teeth: a worst case over all roundings, it is still far below what it bounds.
  double bounds = 0.0, sizes_of_gradient = 0.0;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    bounds += bound(i);
    sizes_of_gradient += std::abs(gradient[i]);
  }
  EXPECT_LT(bounds, (c.dtype == Dtype::f32 ? 1e-2 : tests_on_cuda() ? 0.3 : 0.1) * sizes_of_gradient);
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
