// SPDX-License-Identifier: Apache-2.0
#include "core/model/run_counts.h"

#include <gtest/gtest.h>

#include "core/model/chinchilla_shapes.h"

namespace trireme {
namespace {

Architecture chinchilla_shape(std::int64_t layers, std::int64_t width, std::int64_t heads, std::int64_t head_size) {
  return {.family = Family::gpt2,
          .vocabulary = 32000,
          .context = 2048,
          .layers = layers,
          .width = width,
          .heads = heads,
          .kv_heads = heads,
          .head_size = head_size,
          .feed_forward = 4 * width};
}

TEST(RunCounts, TableA9sParametersAreThoseOfItsConvention) {
  // What is printed and what is counted differ by less than 1 %.
  EXPECT_EQ(chinchilla_shapes().size(), 50U);
  for (const ChinchillaShape& row : chinchilla_shapes()) {
    const auto a = chinchilla_shape(row.layers, row.width, row.heads, row.head_size);
    const auto printed = static_cast<double>(row.printed);
    EXPECT_NEAR(parameters_by(ParameterCount::chinchilla, a) / 1e6, printed, 0.01 * printed);
  }
  EXPECT_EQ(parameters_by(ParameterCount::chinchilla, chinchilla_shape(8, 512, 8, 64)),
            8.0 * (5 * 512 * 512 + 2 * 512 * 2048) + 32000.0 * 512);
}

TEST(RunCounts, TableA4sRatiosComeOutToTheirLastDigitWithoutTheTables) {
  // The ratios that the paper prints of its formula to 6ND leave out the products with the table of tokens, at both
  // ends, that its text lists: 4 S V D forward.
  struct Row {
    double ratio;
    std::int64_t layers, width, heads, head_size;
  };
  constexpr std::int64_t kTime = 2048;
  for (const Row& row : {Row{1.03, 10, 640, 10, 64}, Row{1.10, 20, 1024, 16, 64}, Row{1.08, 24, 1280, 10, 128},
                         Row{1.04, 26, 1792, 14, 128}, Row{1.03, 28, 2048, 16, 128}, Row{0.99, 40, 3584, 28, 128}}) {
    const auto a = chinchilla_shape(row.layers, row.width, row.heads, row.head_size);
    const double tables = 3.0 * 4.0 * kTime * 32000.0 * static_cast<double>(row.width);
    const double per_token = flops_per_token(FlopCount::six_nd, ParameterCount::chinchilla, a, kTime);
    EXPECT_NEAR((appendix_f_flops(a, kTime) - tables) / (per_token * kTime), row.ratio, 0.005);
  }
}

TEST(RunCounts, AppendixFIsTheFormulaOfItsTextForOneSmallShape) {
  // S = 4, V = 10, d = 6, k = 2, h = 3, ffw = 24, one layer, by hand: tables 2 * 2*4*10*6 = 960; queries, keys, values
  // 2*3*4*6*6 = 864; logits 2*4*4*6 = 192; softmax 3*3*4*4 = 144; reduction 192; out 2*4*6*6 = 288; dense
  // 2*4*2*6*24 = 2304.
  Architecture a = chinchilla_shape(1, 6, 3, 2);
  a.vocabulary = 10;
  EXPECT_EQ(appendix_f_flops(a, 4), 3.0 * (960 + 864 + 192 + 144 + 192 + 288 + 2304));
  EXPECT_EQ(flops_per_token(FlopCount::appendix_f, ParameterCount::total, a, 4), appendix_f_flops(a, 4) / 4);
}

TEST(RunCounts, ConventionsDifferByWhatTheyLeaveOut) {
  // GPT-2 124M: 12 blocks of 7,087,872 and the last norm; Kaplan's count has no table of tokens or positions.
  const Architecture gpt2{};
  EXPECT_EQ(parameters_by(ParameterCount::total, gpt2), 124439808.0);
  EXPECT_EQ(parameters_by(ParameterCount::non_embedding, gpt2), 12 * 7087872.0 + 2 * 768);
  EXPECT_EQ(parameters_by(ParameterCount::chinchilla, gpt2), 12.0 * 13 * 768 * 768 + 50257.0 * 768);
  // An untied head is a table of tokens too.
  Architecture llama{.family = Family::llama, .vocabulary = 1000, .width = 64, .tied = false, .qkv_bias = false};
  const double untied = parameters_by(ParameterCount::non_embedding, llama);
  llama.tied = true;
  EXPECT_EQ(parameters_by(ParameterCount::non_embedding, llama), untied);
  EXPECT_EQ(flops_per_token(FlopCount::six_nd, ParameterCount::non_embedding, llama, 7), 6 * untied);
}

}  // namespace
}  // namespace trireme
