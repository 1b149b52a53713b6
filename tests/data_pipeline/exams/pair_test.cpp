// SPDX-License-Identifier: Apache-2.0
// Context and continuation as the reference harness's own code splits them: tests/golden/pair_golden.py.
#include "data_pipeline/exams/pair.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>

#include "core/base/error.h"

namespace trireme {
namespace {

const std::string kGolden = std::string(TRIREME_SOURCE_DIR) + "/tests/golden/";

Tokenizer small() { return Tokenizer::load(kGolden + "tokenizer_small.json"); }

TEST(EncodePair, SplitsAndCutsAsTheHarness) {
  std::ifstream in(kGolden + "pair.json");
  const auto golden = nlohmann::json::parse(in);
  const auto tokenizer = small();
  std::size_t fallbacks = 0, truncated = 0;
  for (const bool with_bos : {false, true}) {
    for (const auto& c : golden.at(with_bos ? "with_bos" : "without_bos")) {
      PairRules rules{.max_tokens = c[2].get<std::int64_t>(), .bos = {}, .empty_prefix = {}};
      (with_bos ? rules.bos : rules.empty_prefix) = golden.at("bos").get<std::uint32_t>();
      const auto what = fmt::format("{} bos {}", c.dump(), with_bos);
      const auto pair = encode_pair(tokenizer, c[0].get<std::string>(), c[1].get<std::string>(), rules);
      EXPECT_EQ(fmt::format("{}", fmt::join(pair.tokens, " ")), c[3].get<std::string>()) << what;
      EXPECT_EQ(pair.continuation, c[4].get<std::int64_t>()) << what;
      EXPECT_EQ(pair.truncated, c[5].get<bool>()) << what;
      EXPECT_EQ(pair.fallback, c[6].get<bool>()) << what;
      fallbacks += pair.fallback ? 1U : 0U;
      truncated += pair.truncated ? 1U : 0U;
    }
  }
  EXPECT_GT(fallbacks, 0U);
  EXPECT_GT(truncated, 0U);
}

TEST(EncodePair, RefusesWhatCannotBeScored) {
  const auto tokenizer = small();
  EXPECT_THROW(encode_pair(tokenizer, "", " A", {}), Error);
  EXPECT_THROW(encode_pair(tokenizer, "a", "", {}), Error);
  EXPECT_THROW(
      encode_pair(tokenizer, "a", " many different words here", {.max_tokens = 1, .bos = {}, .empty_prefix = {}}),
      Error);
}

}  // namespace
}  // namespace trireme
