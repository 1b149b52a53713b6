// SPDX-License-Identifier: Apache-2.0
// The scratch that is planned for a GPU's operations, by hand; tests/kernels/cuda/scratch_test.cpp asks cuDNN.
#include "kernels/scratch.h"

#include <gtest/gtest.h>

namespace trireme {
namespace {

AttentionBackward attention(std::int64_t batch, std::int64_t time, std::int64_t heads, std::int64_t kv_heads,
                            std::int64_t size, Dtype dtype = Dtype::bf16) {
  static float nothing = 0.0F;
  return {.d_qkv = {},
          .dy = {},
          .y = {},
          .lse = {},
          .qkv = {&nothing, dtype, {batch, time, heads + 2 * kv_heads, size}},
          .document_start = {},
          .row_dot = {},
          .heads = heads,
          .kv_heads = kv_heads};
}

TEST(AttentionScratch, RepeatsByKeepingTheGradientsOfAllScores) {
  // 768 heads in all: a sum for each of 1024 rows, and 1024 * 1024 scores.
  EXPECT_EQ(attention_scratch(attention(64, 1024, 12, 12, 64), Determinism::automatic),
            256 + 768ULL * (4 * 1024 + 2 * 1024 * 1024));
  // 1000 rows are 16 tiles of 64 queries and 8 of 128 keys.
  EXPECT_EQ(attention_scratch(attention(1, 1000, 1, 1, 64), Determinism::always), 256 + 4ULL * 1000 + 2 * 1024 * 1024);
}

TEST(AttentionScratch, ElseAddsUpTheGradientsOfQueries) {
  EXPECT_EQ(attention_scratch(attention(2, 4096, 16, 16, 128), Determinism::automatic),
            256 + 32ULL * 4096 * (4 + 4 * 128));
  EXPECT_EQ(attention_scratch(attention(2, 1024, 16, 16, 128), Determinism::never), 256 + 32ULL * 1024 * (4 + 4 * 128));
}

TEST(AttentionScratch, HasTheGradientsOfSharedKeysAndValuesForEachHead) {
  EXPECT_EQ(attention_scratch(attention(8, 4096, 32, 8, 64), Determinism::automatic),
            256 + 256ULL * 4096 * (4 + 4 * 64 + 2 * 2 * 64));
}

TEST(AttentionScratch, IsNoneWithoutAGraph) {
  EXPECT_EQ(attention_scratch(attention(8, 4096, 32, 8, 64, Dtype::f32), Determinism::automatic), 0U);
  EXPECT_EQ(attention_scratch(attention(8, 4096, 32, 8, 260), Determinism::automatic), 0U);
}

TEST(AttentionScratch, HoldsTheLargestClassOfDocumentsAndTheirTables) {
  // Sequences of up to 256, 1024 and 4096 tokens, each class as large as the batch: the same sums and gradients in
  // each, and the tables: three offsets of 8 bytes and a length of 4 for the most documents of each class (1 to 256,
  // 257 to 1024, 1025 to 4096 tokens), in runs of 32, 8 and 2 sequences on 4, and 4 more; 16 counters; on 256 bytes.
  AttentionBackward op = attention(2, 4096, 16, 16, 128);
  op.document_start = {&op, Dtype::i32, {2, 4096}};
  const std::size_t slots = (8192 / 32) * 32 + 4 * 8 + 3 * 4;
  const std::size_t tables = ((slots + 4) * 28 + 64 + 255) / 256 * 256;
  EXPECT_EQ(attention_scratch(op, Determinism::never), tables + 256 + 32ULL * 4096 * (4 + 4 * 128));
  // Scores' gradients are the larger, the longer sequences are.
  EXPECT_EQ(attention_scratch(op, Determinism::always), tables + 256 + 32ULL * 4096 * (4 + 2 * 4096));
}

}  // namespace
}  // namespace trireme
