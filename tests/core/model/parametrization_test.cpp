// SPDX-License-Identifier: Apache-2.0
#include "core/model/parametrization.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "core/model/model.h"

namespace trireme {
namespace {

Architecture wide(Family family, Parametrization parametrization, std::int64_t width, bool tied) {
  const bool llama = family == Family::llama;
  return {.family = family,
          .vocabulary = 64,
          .context = 32,
          .layers = 2,
          .width = width,
          .heads = width / 16,
          .kv_heads = llama ? width / 32 : width / 16,
          .head_size = 16,
          .feed_forward = 4 * width,
          .tied = tied,
          .qkv_bias = !llama,
          .parametrization = parametrization,
          .base_width = 64};
}

std::map<std::string, ParamSpec> specs_of(const Architecture& a) {
  std::map<std::string, ParamSpec> specs;
  const ParamTable table = Model(a).params();
  for (const auto& block : table.blocks()) {
    for (const auto& spec : block) specs.emplace(spec.name, spec);
  }
  return specs;
}

void expect_same_start(const ParamSpec& a, const ParamSpec& b) {
  EXPECT_EQ(a.init.kind, b.init.kind) << a.name;
  EXPECT_EQ(a.init.value, b.init.value) << a.name;
  EXPECT_EQ(a.lr_scale, b.lr_scale) << a.name;
}

TEST(Parametrization, IsTheStandardOneAtTheBaseWidth) {
  for (const Family family : {Family::gpt2, Family::llama}) {
    const auto standard = specs_of(wide(family, Parametrization::standard, 64, true));
    const auto mup = specs_of(wide(family, Parametrization::mup, 64, true));
    for (const auto& [name, spec] : standard) expect_same_start(spec, mup.at(name));
    EXPECT_EQ(attention_scale(wide(family, Parametrization::mup, 64, true)), 0.25F);
  }
}

// Yang et al. 2022, table 8, for Adam, with m = 4 and the hidden fan-in 4 times the base's: hidden matrices have 1/m of
// the variance and of the rate, tables and vectors neither; logits have 1/m, here as the last norm's.
TEST(Parametrization, ScalesWithTheWidthAsTheTableSays) {
  for (const Family family : {Family::gpt2, Family::llama}) {
    const auto base = specs_of(wide(family, Parametrization::standard, 64, family == Family::gpt2));
    const auto found = specs_of(wide(family, Parametrization::mup, 256, family == Family::gpt2));
    ASSERT_EQ(base.size(), found.size());
    for (const auto& [name, spec] : found) {
      const ParamSpec& before = base.at(name);
      const bool block = name.starts_with("blocks.");
      const bool matrix = spec.shape.rank() == 2;
      if (block && matrix) {
        EXPECT_FLOAT_EQ(spec.init.value, before.init.value / 2.0F) << name;
        EXPECT_FLOAT_EQ(spec.lr_scale, 0.25F) << name;
      } else if (name.starts_with("head.norm")) {
        EXPECT_FLOAT_EQ(spec.init.value, before.init.value / 4.0F) << name;
        EXPECT_FLOAT_EQ(spec.lr_scale, 0.25F) << name;
      } else {
        expect_same_start(spec, before);
      }
    }
  }
}

TEST(Parametrization, OfTheStandardKindKnowsNoWidth) {
  const auto narrow = specs_of(wide(Family::llama, Parametrization::standard, 64, false));
  for (const auto& [name, spec] : specs_of(wide(Family::llama, Parametrization::standard, 256, false))) {
    expect_same_start(spec, narrow.at(name));
    EXPECT_EQ(spec.lr_scale, 1.0F);
  }
}

TEST(Parametrization, AttentionsScaleFallsWithTheHeadsSize) {
  Architecture a = wide(Family::llama, Parametrization::mup, 256, false);
  a.head_size = 64;
  EXPECT_FLOAT_EQ(attention_scale(a), 0.125F);
  a.base_head_size = 16;
  EXPECT_FLOAT_EQ(attention_scale(a), 4.0F / 64.0F);  // 1/sqrt(16) at the base, then 1/K
  a.parametrization = Parametrization::standard;
  EXPECT_FLOAT_EQ(attention_scale(a), 0.125F);
}

}  // namespace
}  // namespace trireme
