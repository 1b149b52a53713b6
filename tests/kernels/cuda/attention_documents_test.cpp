// SPDX-License-Identifier: Apache-2.0
// Attention within documents in bf16, where cuDNN takes each document as a sequence of a ragged batch: against the
// CPU's kernels, the same bits on every run, and how fast it is.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "tests/kernels/cuda/twin_test.h"

namespace trireme::kernel_test {
namespace {

/// What the documents' lengths are: the rows' own, 1, or log-normal around a mean.
constexpr double kWholeRows = 0.0;

struct Case {
  std::int64_t batch, time, heads, kv_heads, size;
  double mean;
};
const Case kCases[] = {{1, 1, 1, 1, 64, 1.0},       {2, 77, 3, 1, 64, kWholeRows}, {1, 300, 2, 2, 128, 1.0},
                       {3, 333, 4, 2, 64, 9.0},     {2, 513, 8, 2, 128, 40.0},     {5, 1000, 4, 1, 64, 150.0},
                       {1, 2048, 6, 2, 128, 700.0}, {2, 2048, 4, 4, 64, 333.0},    {2, 1535, 4, 2, 128, kWholeRows}};

class AttentionDocuments : public TwinTest {
 protected:
  /// Rows of documents whose lengths are multiples of nothing.
  void fill_starts(const Case& c) {
    start = make(Dtype::i32, {c.batch, c.time});
    std::mt19937 generator(11);
    std::lognormal_distribution<double> length(std::log(std::max(c.mean, 1.0)) - 0.5, 1.0);
    for (std::int64_t b = 0; b < c.batch; ++b) {
      std::int64_t begin = 0;
      std::int64_t end = 0;
      for (std::int64_t t = 0; t < c.time; ++t) {
        if (t == end) {
          begin = t;
          end = c.mean == kWholeRows ? c.time
                : c.mean == 1.0      ? t + 1
                                     : t + std::max<std::int64_t>(1, static_cast<std::int64_t>(length(generator)));
        }
        start.cpu.as<std::int32_t>()[b * c.time + t] = static_cast<std::int32_t>(begin);
      }
    }
    send(start);
    documents = document_lengths(start.cpu);
  }
  /// Normal values, a million of them again and again.
  Twin repeated(const Shape& shape, unsigned seed) {
    constexpr std::int64_t kDistinct = (std::int64_t{1} << 20) + 7;
    if (shape.elements() <= kDistinct) return random(Dtype::bf16, shape, seed);
    const Twin some = random(Dtype::bf16, {kDistinct}, seed);
    Twin all = make(Dtype::bf16, shape);
    for (std::int64_t at = 0; at < shape.elements(); at += kDistinct) {
      const std::int64_t count = std::min(kDistinct, shape.elements() - at);
      std::copy_n(some.cpu.as<Bf16>(), count, all.cpu.as<Bf16>() + at);
    }
    send(all);
    return all;
  }
  void make_tensors(const Case& c) {
    sizes = c;
    const Shape packed = {c.batch, c.time, c.heads + 2 * c.kv_heads, c.size};
    const Shape out = {c.batch, c.time, c.heads, c.size};
    qkv = repeated(packed, 1);
    dy = repeated(out, 2);
    y = make(Dtype::bf16, out);
    d = make(Dtype::bf16, packed);
    lse = make(Dtype::f32, {c.batch, c.heads, c.time});
    dot = make(Dtype::f32, {c.batch, c.heads, c.time});
    fill_starts(c);
  }
  template <class On>
  Attention forward(const On& on, bool masked = true) const {
    return {.y = on(y),
            .lse = on(lse),
            .qkv = on(qkv),
            .document_start = masked ? on(start) : Tensor{},
            .heads = sizes.heads,
            .kv_heads = sizes.kv_heads,
            .scale = scale(),
            .documents = masked ? documents : DocumentLengths{}};
  }
  template <class On>
  AttentionBackward backward(const On& on, bool masked = true) const {
    return {.d_qkv = on(d),
            .dy = on(dy),
            .y = on(y),
            .lse = on(lse),
            .qkv = on(qkv),
            .document_start = masked ? on(start) : Tensor{},
            .row_dot = on(dot),
            .heads = sizes.heads,
            .kv_heads = sizes.kv_heads,
            .scale = scale(),
            .documents = masked ? documents : DocumentLengths{}};
  }
  float scale() const { return 1.0F / std::sqrt(static_cast<float>(sizes.size)); }

  Case sizes{};
  DocumentLengths documents;
  Twin qkv, dy, y, d, lse, dot, start;
};

class AttentionDocumentsTest : public AttentionDocuments, public ::testing::WithParamInterface<Case> {};

const auto on_cpu = [](const Twin& t) { return t.cpu; };
const auto on_gpu = [](const Twin& t) { return t.gpu; };

TEST_P(AttentionDocumentsTest, IsTheCpus) {
  make_tensors(GetParam());
  const auto before = gpu->allocations();
  run_both(forward(on_cpu), forward(on_gpu));
  EXPECT_GT(gpu->allocations(), before) << "not by cuDNN, which takes scratch";
  // As for attention without documents: probabilities sum to 1 and may be rounded before they meet values of at most
  // 5; fp32 sums of `size` and then `time` terms add less.
  const double v = roundoff(Dtype::bf16);
  const double scores = product_error(sizes.size, 5, 5) * static_cast<double>(scale());
  const double sums = static_cast<double>(sizes.time) * roundoff(Dtype::f32);
  expect_same(
      lse, [&](std::size_t) { return scores + sums; }, "lse");
  expect_same(
      y, [&](std::size_t) { return 5 * (v + 2 * scores + sums); }, "y");
  run_both(backward(on_cpu), backward(on_gpu));
  // In norm: each of the four products and the two rounded factors adds a roundoff of the dtype, and fp32 sums a walk
  // of sqrt(time) roundoffs.
  const Values expected = get(d.cpu);
  const Values found = from_gpu(d);
  double difference = 0.0, norm = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += (found[i] - expected[i]) * (found[i] - expected[i]);
    norm += expected[i] * expected[i];
  }
  const double walk = std::sqrt(static_cast<double>(sizes.time)) * roundoff(Dtype::f32);
  EXPECT_LT(std::sqrt(difference / norm), 6 * v + 6 * walk);
}

TEST_P(AttentionDocumentsTest, RepeatsBitForBitAndAllocatesOnce) {
  make_tensors(GetParam());
  Values first;
  std::int64_t allocations = 0;
  for (int i = 0; i < 4; ++i) {
    gpu->zero(*gpu_stream, d.gpu.data, d.gpu.bytes());
    gpu_ops->run(*gpu_stream, forward(on_gpu));
    gpu_ops->run(*gpu_stream, backward(on_gpu));
    const Values found = from_gpu(d);
    if (i == 0) {
      first = found;
      allocations = gpu->allocations();
    }
    ASSERT_EQ(found, first) << "at repetition " << i;
  }
  // Other documents in the same shape.
  Case other = sizes;
  other.mean = other.mean == 1.0 ? 5.0 : 1.0;
  fill_starts(other);
  allocations = gpu->allocations();
  gpu_ops->run(*gpu_stream, forward(on_gpu));
  gpu_ops->run(*gpu_stream, backward(on_gpu));
  gpu_stream->synchronize();
  EXPECT_EQ(gpu->allocations(), allocations);
}

INSTANTIATE_TEST_SUITE_P(Shapes, AttentionDocumentsTest, ::testing::ValuesIn(kCases));

/// Not a judgement: TFLOP/s over the pairs of query and key that are really seen, beside attention without documents.
TEST_F(AttentionDocuments, Speed) {
  gpu_stream = nullptr;
  gpu_ops = nullptr;
  gpu = make_cuda_device({.deterministic = Determinism::automatic, .cache = {}});
  gpu_ops = make_cuda_ops(*gpu);
  gpu_stream = gpu->make_stream("speed");
  for (const Case& c : {Case{8, 4096, 32, 8, 128, 600.0}, Case{64, 1024, 12, 12, 64, 600.0}}) {
    make_tensors(c);
    double pairs = 0.0;
    for (std::int64_t i = 0; i < c.batch * c.time; ++i) {
      pairs += static_cast<double>(i % c.time - start.cpu.as<std::int32_t>()[i] + 1);
    }
    const auto milliseconds = [&](const std::function<void()>& work) {
      constexpr int kTimes = 10;
      for (int i = 0; i < 3; ++i) work();
      gpu_stream->synchronize();
      const auto begin = std::chrono::steady_clock::now();
      for (int i = 0; i < kTimes; ++i) work();
      gpu_stream->synchronize();
      return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count() / kTimes;
    };
    const auto all = static_cast<double>(c.batch * c.time * (c.time + 1)) / 2.0;
    for (const bool masked : {false, true}) {
      const double products = (masked ? pairs : all) * static_cast<double>(c.heads * c.size) * 1e-9;
      const double there = milliseconds([&] { gpu_ops->run(*gpu_stream, forward(on_gpu, masked)); });
      const double back = milliseconds([&] { gpu_ops->run(*gpu_stream, backward(on_gpu, masked)); });
      EXPECT_GT(there, 0.0);
      std::printf(
          "[ SPEED    ] B=%d T=%d H=%d G=%d K=%d %s: forward %.3f ms %.0f TFLOP/s, backward %.3f ms %.0f TFLOP/s\n",
          static_cast<int>(c.batch), static_cast<int>(c.time), static_cast<int>(c.heads), static_cast<int>(c.kv_heads),
          static_cast<int>(c.size), masked ? "documents" : "whole rows", there, 4 * products / there, back,
          10 * products / back);
    }
  }
}

}  // namespace
}  // namespace trireme::kernel_test
