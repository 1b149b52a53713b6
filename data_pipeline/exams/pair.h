// SPDX-License-Identifier: Apache-2.0
// Context and continuation as tokens, split where the reference harness splits them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data_pipeline/tokenizer/tokenizer.h"

namespace trireme {

/// Tokens whose last `continuation` ones are scored, each given all before it.
struct TokenPair {
  std::vector<std::int32_t> tokens;
  std::int64_t continuation = 0;
  bool truncated = false;  // tokens were dropped from the left
  bool fallback = false;   // a token spans the join: the continuation was encoded by itself
};

struct PairRules {
  std::int64_t max_tokens = 1024;             // the model's context; the input is at most that long
  std::optional<std::uint32_t> bos;           // put in front of every context, once
  std::optional<std::uint32_t> empty_prefix;  // stands for an empty context: BOS, else EOS
};

/// The pairs of one context with each continuation; the context is encoded once.
///
/// White space at the end of the context moves to the continuation; the continuation's tokens are those of the whole
/// text beyond the context's own; the input is cut from the left to max_tokens + 1 tokens and never loses a token of
/// the continuation. Throws Error when the continuation alone is too long, or when an empty context has no prefix.
/// A context that spells the BOS of the rules at its begin does not get a second one.
std::vector<TokenPair> encode_pairs(const Tokenizer& tokenizer, std::string_view context,
                                    std::span<const std::string> continuations, const PairRules& rules);
/// One of them.
TokenPair encode_pair(const Tokenizer& tokenizer, std::string_view context, std::string_view continuation,
                      const PairRules& rules);

}  // namespace trireme
