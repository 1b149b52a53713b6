// SPDX-License-Identifier: Apache-2.0
// Operations at the sizes of real models, in the GPU's own memory, against the CPU's kernels.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/kernels/cuda/twin_test.h"

namespace trireme::kernel_test {
namespace {

class CudaLargeTest : public TwinTest, public ::testing::WithParamInterface<Dtype> {};

TEST_P(CudaLargeTest, LinearLayersOfAModel) {
  constexpr std::int64_t kRows = 1024;
  constexpr std::int64_t kIn = 768;
  constexpr std::int64_t kOut = 3072;
  const Dtype dtype = GetParam();
  Twin x = random(dtype, {kRows, kIn}, 1), w = random(dtype, {kOut, kIn}, 2), bias = random(dtype, {kOut}, 3);
  Twin y = make(dtype, {kRows, kOut}), dy = random(dtype, {kRows, kOut}, 4), dx = make(dtype, {kRows, kIn});
  Twin dw = random(Dtype::f32, {kOut, kIn}, 5), db = random(Dtype::f32, {kOut}, 6);
  run_both(Linear{.y = y.cpu, .x = x.cpu, .weight = w.cpu, .bias = bias.cpu, .residual = dy.cpu},
           Linear{.y = y.gpu, .x = x.gpu, .weight = w.gpu, .bias = bias.gpu, .residual = dy.gpu});
  expect_same(
      y, [](std::size_t) { return product_error(kIn, 5, 5); }, "y");
  run_both(LinearBackwardInput{.dx = dx.cpu, .dy = dy.cpu, .weight = w.cpu},
           LinearBackwardInput{.dx = dx.gpu, .dy = dy.gpu, .weight = w.gpu});
  expect_same(
      dx, [](std::size_t) { return product_error(kOut, 5, 5); }, "dx");
  run_both(LinearBackwardWeight{.d_weight = dw.cpu, .d_bias = db.cpu, .dy = dy.cpu, .x = x.cpu},
           LinearBackwardWeight{.d_weight = dw.gpu, .d_bias = db.gpu, .dy = dy.gpu, .x = x.gpu});
  expect_same(
      dw, [](std::size_t) { return product_error(kRows, 5, 5); }, "d_weight");
  expect_same(
      db, [](std::size_t) { return product_error(kRows, 5, 1); }, "d_bias");
}

/// The rows of a file.
std::vector<std::string> lines_in(const std::string& folder) {
  std::vector<std::string> lines;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream in(entry.path());
    for (std::string line; std::getline(in, line);) lines.push_back(line);
  }
  return lines;
}

TEST_P(CudaLargeTest, MeasuredProductsRepeatBitForBitAlsoInTheNextProcess) {
  constexpr std::int64_t kRows = 4096;
  constexpr std::int64_t kIn = 768;
  constexpr std::int64_t kOut = 2304;
  const Dtype dtype = GetParam();
  Twin x = random(dtype, {kRows, kIn}, 1), w = random(dtype, {kOut, kIn}, 2), y = make(dtype, {kRows, kOut});
  Twin dy = random(dtype, {kRows, kOut}, 4), dx = make(dtype, {kRows, kIn}), dw = make(Dtype::f32, {kOut, kIn});
  const auto results = [&](const Ops& ops) {
    gpu->zero(*gpu_stream, dw.gpu.data, dw.gpu.bytes());
    ops.run(*gpu_stream, Linear{.y = y.gpu, .x = x.gpu, .weight = w.gpu, .bias = {}, .residual = {}});
    ops.run(*gpu_stream, LinearBackwardInput{.dx = dx.gpu, .dy = dy.gpu, .weight = w.gpu});
    ops.run(*gpu_stream, LinearBackwardWeight{.d_weight = dw.gpu, .d_bias = {}, .dy = dy.gpu, .x = x.gpu});
    return std::array{from_gpu(y), from_gpu(dx), from_gpu(dw)};
  };
  const auto first = results(*gpu_ops);  // the gradient is what it would be had nothing been measured into it
  const auto kept = lines_in(test_cache());
  EXPECT_GE(kept.size(), 4U);
  for (int i = 0; i < 5; ++i) ASSERT_EQ(results(*gpu_ops), first) << "at repetition " << i;
  const auto other = make_cuda_ops(*gpu);  // reads the file as another process would
  EXPECT_EQ(results(*other), first);
  EXPECT_EQ(lines_in(test_cache()), kept);
}

TEST_P(CudaLargeTest, AttentionOfAModel) {
  for (const auto& [heads, kv_heads, size] : {std::array<std::int64_t, 3>{12, 12, 64}, {8, 2, 128}}) {
    for (const bool documents : {false, true}) {
      constexpr std::int64_t kBatch = 2;
      constexpr std::int64_t kTime = 512;
      const Dtype dtype = GetParam();
      const Shape packed = {kBatch, kTime, heads + 2 * kv_heads, size};
      const Shape out = {kBatch, kTime, heads, size};
      Twin qkv = random(dtype, packed, 1), dy = random(dtype, out, 2), y = make(dtype, out), d = make(dtype, packed);
      Twin lse = make(Dtype::f32, {kBatch, heads, kTime}), dot = make(Dtype::f32, {kBatch, heads, kTime});
      Twin start = make(Dtype::i32, {kBatch, kTime});
      for (std::int64_t i = 0; i < kBatch * kTime; ++i) {
        start.cpu.as<std::int32_t>()[i] = static_cast<std::int32_t>(i % kTime / 100 * 100);
      }
      send(start);
      const float scale = 1.0F / std::sqrt(static_cast<float>(size));
      const auto forward = [&](auto on) {
        return Attention{.y = on(y),
                         .lse = on(lse),
                         .qkv = on(qkv),
                         .document_start = documents ? on(start) : Tensor{},
                         .heads = heads,
                         .kv_heads = kv_heads,
                         .scale = scale,
                         .documents = documents ? document_lengths(start.cpu) : DocumentLengths{}};
      };
      const auto backward = [&](auto on) {
        return AttentionBackward{.d_qkv = on(d),
                                 .dy = on(dy),
                                 .y = on(y),
                                 .lse = on(lse),
                                 .qkv = on(qkv),
                                 .document_start = documents ? on(start) : Tensor{},
                                 .row_dot = on(dot),
                                 .heads = heads,
                                 .kv_heads = kv_heads,
                                 .scale = scale,
                                 .documents = documents ? document_lengths(start.cpu) : DocumentLengths{}};
      };
      const auto on_cpu = [](const Twin& t) { return t.cpu; };
      const auto on_gpu = [](const Twin& t) { return t.gpu; };
      run_both(forward(on_cpu), forward(on_gpu));
      // Probabilities sum to 1 and may be rounded to the dtype before they meet values of at most 5; fp32 sums of
      // `size` and then kTime terms add less.
      const double v = roundoff(dtype);
      const double scores = product_error(size, 5, 5) * static_cast<double>(scale);
      expect_same(
          lse, [&](std::size_t) { return scores + static_cast<double>(kTime) * roundoff(Dtype::f32); }, "lse");
      expect_same(
          y, [&](std::size_t) { return 5 * (v + 2 * scores + static_cast<double>(kTime) * roundoff(Dtype::f32)); },
          "y");
      run_both(backward(on_cpu), backward(on_gpu));
      // In norm: each of the four products and the two rounded factors adds a roundoff of the dtype, and fp32 sums a
      // walk of sqrt(kTime) roundoffs; heads of a group add up.
      const Values expected = get(d.cpu);
      const Values found = from_gpu(d);
      double difference = 0.0, norm = 0.0;
      for (std::size_t i = 0; i < expected.size(); ++i) {
        difference += (found[i] - expected[i]) * (found[i] - expected[i]);
        norm += expected[i] * expected[i];
      }
      const double walk = std::sqrt(static_cast<double>(kTime)) * roundoff(Dtype::f32);
      EXPECT_LT(std::sqrt(difference / norm), 6 * v + 6 * walk) << heads << " heads, documents " << documents;
    }
  }
}

TEST_P(CudaLargeTest, LossesOverARealVocabulary) {
  for (const std::int64_t width : {50257, 50304}) {
    constexpr std::int64_t kRows = 200;
    constexpr std::int64_t kVocabulary = 50257;
    Twin logits = random(GetParam(), {kRows, width}, 1, 3.0F), losses = make(Dtype::f32, {kRows});
    Twin targets = integers({kRows}, kVocabulary);
    const auto op = [&](auto on) {
      return CrossEntropy{.losses = on(losses),
                          .logits = on(logits),
                          .targets = on(targets),
                          .vocabulary = kVocabulary,
                          .gradient_scale = 0.5F};
    };
    run_both(op([](const Twin& t) { return t.cpu; }), op([](const Twin& t) { return t.gpu; }));
    // Sums of 50257 terms in blocks of 1024 or fewer, two exponentials and their arguments up to 40.
    const double relative = 3e-7 + (1024 + 50 + 2 * 40) * roundoff(Dtype::f32);
    expect_same(
        losses, [&](std::size_t) { return relative; }, "losses");
    expect_same(
        logits, [&](std::size_t) { return 0.5 * relative; }, "gradient");
  }
}

TEST_P(CudaLargeTest, NormsOfWideModels) {
  for (const std::int64_t width : {768, 1600, 4096, 12288}) {
    constexpr std::int64_t kRows = 777;
    const Dtype dtype = GetParam();
    Twin x = random(dtype, {kRows, width}, 1), w = random(dtype, {width}, 2), y = make(dtype, {kRows, width});
    Twin b = random(dtype, {width}, 8), mean = make(Dtype::f32, {kRows}), rstd = make(Dtype::f32, {kRows});
    Twin dy = random(dtype, {kRows, width}, 3), dx = random(dtype, {kRows, width}, 4);
    Twin dw = make(Dtype::f32, {width}), db = make(Dtype::f32, {width});
    const auto on_cpu = [](const Twin& t) { return t.cpu; };
    const auto on_gpu = [](const Twin& t) { return t.gpu; };
    // A row's sums of `width` terms, then a handful of operations; normalised values are at most 6, weights 5.
    const double row = (static_cast<double>(width) + 16) * roundoff(Dtype::f32);
    const double column = static_cast<double>(kRows) * 30 * (3 * row + kRows * roundoff(Dtype::f32));
    const auto layer = [&](auto on) {
      return LayerNorm{.y = on(y), .mean = on(mean), .rstd = on(rstd), .x = on(x), .weight = on(w), .bias = on(b)};
    };
    run_both(layer(on_cpu), layer(on_gpu));
    expect_same(
        y, [&](std::size_t) { return 3 * row * 35; }, "layer norm");
    const auto layer_backward = [&](auto on) {
      return LayerNormBackward{.dx = on(dx),
                               .d_weight = on(dw),
                               .d_bias = on(db),
                               .dy = on(dy),
                               .x = on(x),
                               .mean = on(mean),
                               .rstd = on(rstd),
                               .weight = on(w),
                               .accumulate = true};
    };
    run_both(layer_backward(on_cpu), layer_backward(on_gpu));
    expect_same(
        dx, [&](std::size_t) { return 4 * row * 25 * (2 + 36); }, "dx");
    expect_same(
        dw, [&](std::size_t) { return column; }, "d_weight");
    expect_same(
        db, [&](std::size_t) { return column; }, "d_bias");
    const auto rms = [&](auto on) { return RmsNorm{.y = on(y), .rstd = on(rstd), .x = on(x), .weight = on(w)}; };
    run_both(rms(on_cpu), rms(on_gpu));
    expect_same(
        y, [&](std::size_t) { return 3 * row * 30; }, "rms norm");
  }
}

/// More rows than all blocks take in a turn: what a kernel reads ahead, and sums that grow over many rows.
TEST_P(CudaLargeTest, GradientsOfNormsOverManyRowsRepeatBitForBit) {
  for (const auto& [rows, width] : {std::array<std::int64_t, 2>{6007, 192}, {5003, 768}, {2003, 1600}, {601, 16384}}) {
    const Dtype dtype = GetParam();
    Twin x = random(dtype, {rows, width}, 1), w = random(dtype, {width}, 2), y = make(dtype, {rows, width});
    Twin mean = make(Dtype::f32, {rows}), rstd = make(Dtype::f32, {rows}), dy = random(dtype, {rows, width}, 3);
    Twin dx = make(dtype, {rows, width}), dw = make(Dtype::f32, {width}), db = make(Dtype::f32, {width});
    const auto on_cpu = [](const Twin& t) { return t.cpu; };
    const auto on_gpu = [](const Twin& t) { return t.gpu; };
    const auto forward = [&](auto on) {
      return LayerNorm{.y = on(y), .mean = on(mean), .rstd = on(rstd), .x = on(x), .weight = on(w), .bias = on(w)};
    };
    const auto backward = [&](auto on) {
      return LayerNormBackward{.dx = on(dx),
                               .d_weight = on(dw),
                               .d_bias = on(db),
                               .dy = on(dy),
                               .x = on(x),
                               .mean = on(mean),
                               .rstd = on(rstd),
                               .weight = on(w)};
    };
    // As in the norms of wide models: a row's sums, and then a column's.
    const auto count = static_cast<double>(rows);
    const double row = (static_cast<double>(width) + 16) * roundoff(Dtype::f32);
    const double column = count * 30 * (3 * row + count * roundoff(Dtype::f32));
    run_both(forward(on_cpu), forward(on_gpu));
    run_both(backward(on_cpu), backward(on_gpu));
    expect_same(
        dx, [&](std::size_t) { return 4 * row * 25 * (2 + 36); }, "dx");
    expect_same(
        dw, [&](std::size_t) { return column; }, "d_weight");
    expect_same(
        db, [&](std::size_t) { return column; }, "d_bias");
    const Values once = from_gpu(dw), bias_once = from_gpu(db);
    gpu->zero(*gpu_stream, dw.gpu.data, dw.gpu.bytes());
    gpu->zero(*gpu_stream, db.gpu.data, db.gpu.bytes());
    gpu_ops->run(*gpu_stream, backward(on_gpu));
    EXPECT_EQ(from_gpu(dw), once);
    EXPECT_EQ(from_gpu(db), bias_once);
  }
}

TEST_P(CudaLargeTest, EmbeddingGradientsRepeatBitForBit) {
  constexpr std::int64_t kRows = 16384;
  constexpr std::int64_t kWidth = 256;
  Twin tokens = integers({kRows}, 5000), dy = random(GetParam(), {kRows, kWidth}, 1);
  Twin table = make(Dtype::f32, {5000, kWidth});
  const auto op = [&](auto on) {
    return EmbeddingBackward{
        .d_token_table = on(table), .d_position_table = {}, .dy = on(dy), .tokens = on(tokens), .positions = {}};
  };
  run_both(op([](const Twin& t) { return t.cpu; }), op([](const Twin& t) { return t.gpu; }));
  // The most frequent token has fewer than 2000 rows.
  expect_same(
      table, [](std::size_t) { return 2000.0 * 5 * 45 * roundoff(Dtype::f32); }, "d_token_table");
  const Values once = from_gpu(table);
  gpu->zero(*gpu_stream, table.gpu.data, table.gpu.bytes());
  gpu_ops->run(*gpu_stream, op([](const Twin& t) { return t.gpu; }));
  EXPECT_EQ(from_gpu(table), once);
}

TEST_P(CudaLargeTest, NothingIsAllocatedAtTheSecondUseOfAShape) {
  Twin x = random(GetParam(), {512, 768}, 1), w = random(GetParam(), {2304, 768}, 2), y = make(GetParam(), {512, 2304});
  const Linear op{.y = y.gpu, .x = x.gpu, .weight = w.gpu, .bias = {}, .residual = {}};
  gpu_ops->run(*gpu_stream, op);
  const auto before = gpu->allocations();
  for (int i = 0; i < 3; ++i) gpu_ops->run(*gpu_stream, op);
  gpu_stream->synchronize();
  EXPECT_EQ(gpu->allocations(), before);
}

INSTANTIATE_TEST_SUITE_P(Dtypes, CudaLargeTest, ::testing::Values(Dtype::f32, Dtype::bf16));

}  // namespace
}  // namespace trireme::kernel_test
