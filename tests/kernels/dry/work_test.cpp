// SPDX-License-Identifier: Apache-2.0
// FLOPs and bytes of single operations, worked out by hand.
#include "kernels/dry/work.h"

#include <gtest/gtest.h>

namespace trireme::dry {
namespace {

Tensor tensor(Dtype dtype, const Shape& shape) {
  static char somewhere = 0;
  return {&somewhere, dtype, shape};
}
Tensor f32(const Shape& shape) { return tensor(Dtype::f32, shape); }
Tensor bf16(const Shape& shape) { return tensor(Dtype::bf16, shape); }
Tensor i32(const Shape& shape) { return tensor(Dtype::i32, shape); }

void expect(const Work& work, double flops, double bytes, Work::Kind kind = Work::Kind::elementwise) {
  EXPECT_EQ(work.flops, flops) << work.name;
  EXPECT_EQ(work.bytes, bytes) << work.name;
  EXPECT_EQ(work.kind, kind) << work.name;
}

TEST(Work, OfProducts) {
  const auto kind = Work::Kind::product;
  // 10 rows, 4 in, 6 out: 2 * 240 FLOPs; y 120, x 80, weight 48 bytes.
  const Linear plain{.y = bf16({10, 6}), .x = bf16({10, 4}), .weight = bf16({6, 4}), .bias = {}, .residual = {}};
  expect(work_of(plain), 480, 120 + 80 + 48, kind);
  EXPECT_EQ(work_of(plain).dtype, Dtype::bf16);
  expect(work_of(Linear{
             .y = f32({10, 6}), .x = f32({10, 4}), .weight = f32({6, 4}), .bias = f32({6}), .residual = f32({10, 6})}),
         480, 240 + 160 + 96 + 24 + 240, kind);
  expect(work_of(LinearBackwardInput{.dx = bf16({10, 4}), .dy = bf16({10, 6}), .weight = bf16({6, 4})}), 480,
         80 + 120 + 48, kind);
  expect(work_of(
             LinearBackwardInput{.dx = bf16({10, 4}), .dy = bf16({10, 6}), .weight = bf16({6, 4}), .accumulate = true}),
         480, 2 * 80 + 120 + 48, kind);
  // The gradient is read and written, in fp32.
  expect(work_of(LinearBackwardWeight{
             .d_weight = f32({6, 4}), .d_bias = f32({6}), .dy = bf16({10, 6}), .x = bf16({10, 4})}),
         480, 2 * (96 + 24) + 120 + 80, kind);
}

TEST(Work, OfAttention) {
  // 2 samples of 8 tokens, 4 heads of 16 over 2 of keys and values. Pairs: 2 * 4 * 8*8/2 = 256; 4K FLOPs each.
  const Tensor y = bf16({2, 8, 4, 16});
  const Tensor qkv = bf16({2, 8, 8, 16});
  const Tensor lse = f32({2, 4, 8});
  expect(work_of(Attention{.y = y, .lse = lse, .qkv = qkv, .document_start = {}, .heads = 4, .kv_heads = 2}),
         256.0 * 4 * 16, 2048 + 256 + 4096, Work::Kind::attention);
  expect(work_of(AttentionBackward{.d_qkv = qkv,
                                   .dy = y,
                                   .y = y,
                                   .lse = lse,
                                   .qkv = qkv,
                                   .document_start = i32({2, 8}),
                                   .row_dot = lse,
                                   .heads = 4,
                                   .kv_heads = 2}),
         256.0 * 10 * 16, 2 * 4096 + 2 * 2048 + 256 + 64 + 2 * 256, Work::Kind::attention_backward);
}

TEST(Work, OfNorms) {
  const Tensor x = bf16({10, 6});  // 120 bytes
  const Tensor row = f32({10});
  const Tensor w = bf16({6});
  expect(work_of(LayerNorm{.y = x, .mean = row, .rstd = row, .x = x, .weight = w, .bias = w}), 8 * 60, 240 + 80 + 24);
  expect(work_of(RmsNorm{.y = x, .rstd = row, .x = x, .weight = w}), 4 * 60, 240 + 40 + 12);
  RmsNormBackward backward{.dx = x, .d_weight = f32({6}), .dy = x, .x = x, .rstd = row, .weight = w};
  expect(work_of(backward), 9 * 60, 360 + 40 + 12 + 48);
  backward.accumulate = true;
  expect(work_of(backward), 10 * 60, 480 + 40 + 12 + 48);
  expect(work_of(LayerNormBackward{.dx = x,
                                   .d_weight = f32({6}),
                                   .d_bias = f32({6}),
                                   .dy = x,
                                   .x = x,
                                   .mean = row,
                                   .rstd = row,
                                   .weight = w,
                                   .accumulate = true}),
         14 * 60, 480 + 80 + 12 + 96);
}

TEST(Work, OfEmbeddings) {
  const Tensor y = bf16({10, 6});
  const Tensor ids = i32({10});
  const Tensor table = bf16({1000, 6});
  // As many rows of the table as there are tokens.
  expect(work_of(Embedding{.y = y, .tokens = ids, .positions = ids, .token_table = table, .position_table = {}}), 0,
         120 + 120 + 40);
  expect(work_of(Embedding{.y = y, .tokens = ids, .positions = ids, .token_table = table, .position_table = table}), 60,
         120 + 2 * 120 + 80);
  // dy, and rows of the gradient read and written.
  expect(work_of(EmbeddingBackward{
             .d_token_table = f32({1000, 6}), .d_position_table = {}, .dy = y, .tokens = ids, .positions = ids}),
         60, 120 + 480 + 40);
}

TEST(Work, OfElementwiseOperations) {
  const Tensor x = bf16({10, 6});
  const Tensor wide = bf16({10, 12});
  expect(work_of(Gelu{.y = x, .x = x}), 9 * 60, 240);
  expect(work_of(GeluBackward{.dx = x, .dy = x, .x = x, .d_bias = {}}), 18 * 60, 360);
  expect(work_of(GeluBackward{.dx = x, .dy = x, .x = x, .d_bias = f32({6})}), 19 * 60, 360 + 48);
  expect(work_of(SwiGlu{.y = x, .gate_up = wide}), 5 * 60, 120 + 240);
  expect(work_of(SwiGluBackward{.d_gate_up = wide, .dy = x, .gate_up = wide}), 11 * 60, 240 + 120 + 240);
  expect(work_of(Cast{.y = x, .x = f32({10, 6})}), 0, 120 + 240);
  expect(work_of(Add{.y = x, .a = x, .b = x}), 60, 360);
  expect(work_of(Add{.y = x, .a = x, .b = x, .bias = bf16({6})}), 120, 372);
  // Three of four heads turn: 10 rows * 3 heads * 4, of 2 bytes, both ways; table of 5 positions.
  expect(work_of(Rope{.x = bf16({10, 4, 4}), .positions = i32({10}), .cos_sin = f32({5, 4}), .rotated_heads = 3}),
         3 * 120, 2 * 240 + 40 + 80);
}

TEST(Work, OfLossesAndSums) {
  const Tensor logits = bf16({10, 100});
  const Tensor row = f32({10});
  const CrossEntropy loss{.losses = row, .logits = logits, .targets = i32({10}), .vocabulary = 90};
  expect(work_of(loss), 4000, 80 + 2000);
  CrossEntropy gradient = loss;
  gradient.gradient_scale = 0.1F;
  expect(work_of(gradient), 7000, 80 + 4000);
  expect(work_of(TokenScore{.log_prob = row, .best = i32({10}), .logits = logits, .targets = i32({10})}), 4000,
         120 + 2000);
  // Over four ranks: what each adds, and the whole loss from that.
  expect(work_of(SoftmaxPart{.stats = f32({10, 4}), .logits = logits, .targets = i32({10})}), 4000, 160 + 2000 + 40);
  const Tensor parts = f32({4, 10, 4});
  CrossEntropy split = gradient;
  split.parts = parts;
  expect(work_of(split), 3000, 80 + 640 + 4000);
  split.gradient_scale = 0.0F;
  expect(work_of(split), 0, 80 + 640);
  expect(work_of(TokenScore{.log_prob = row, .best = i32({10}), .logits = {}, .targets = i32({10}), .parts = parts}), 0,
         120 + 640);
  expect(work_of(Sum{.out = f32({1}), .x = row}), 10, 40 + 8);
  expect(work_of(SquaredNorm{.out = f32({1}), .x = row}), 20, 40 + 8);
  expect(work_of(GradientScale{.scale = f32({1}), .norm = f32({1}), .norm_squared = f32({1}), .count = f32({1})}), 8,
         16);
  // The guard reads a sum, and reads and writes four numbers.
  expect(work_of(GradientScale{.scale = f32({1}),
                               .norm = f32({1}),
                               .norm_squared = f32({1}),
                               .count = f32({1}),
                               .guard = {.loss_sum = f32({1}), .state = f32({4})}}),
         18, 16 + 4 + 32);
}

TEST(Work, OfTheOptimizer) {
  const Tensor n = f32({100});
  AdamW update{.master = n, .first = n, .second = n, .gradient = n, .copy = {}, .scale = f32({1})};
  // Three states read and written, the gradient read: 28 bytes an element, 30 with a bf16 copy.
  expect(work_of(update), 1700, 2804);
  update.copy = bf16({100});
  expect(work_of(update), 1700, 3004);
}

}  // namespace
}  // namespace trireme::dry
