// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/exams/pair.h"

#include <string>

#include "core/base/error.h"
#include "data_pipeline/exams/text.h"

namespace trireme {

TokenPair encode_pair(const Tokenizer& tokenizer, std::string_view context, std::string_view continuation,
                      const PairRules& rules) {
  const auto stripped = strip_end(context);
  const auto moved = std::string(context.substr(stripped.size())) + std::string(continuation);
  std::vector<std::uint32_t> before;
  if (rules.bos) before.push_back(*rules.bos);
  TokenPair pair;
  std::vector<std::uint32_t> after;
  if (stripped.empty()) {
    check(rules.bos || rules.empty_prefix,
          "an empty context, and the tokenizer has neither BOS nor EOS to stand for it");
    if (before.empty()) before.push_back(*rules.empty_prefix);
    tokenizer.encode(moved, after);
  } else {
    tokenizer.encode(stripped, before);
    std::vector<std::uint32_t> whole;
    if (rules.bos) whole.push_back(*rules.bos);
    tokenizer.encode(std::string(stripped) + moved, whole);
    if (whole.size() > before.size()) {
      after.assign(whole.begin() + static_cast<std::ptrdiff_t>(before.size()), whole.end());
    } else {
      pair.fallback = true;
      tokenizer.encode(moved, after);
    }
  }
  check(!after.empty(), "an empty continuation cannot be scored");
  check(static_cast<std::int64_t>(after.size()) <= rules.max_tokens,
        "a continuation of {} tokens is longer than the model's context of {}", after.size(), rules.max_tokens);
  pair.continuation = static_cast<std::int64_t>(after.size());
  pair.tokens.assign(before.begin(), before.end());
  pair.tokens.insert(pair.tokens.end(), after.begin(), after.end());
  const auto limit = static_cast<std::size_t>(rules.max_tokens) + 1;
  if (pair.tokens.size() > limit) {
    pair.truncated = true;
    pair.tokens.erase(pair.tokens.begin(), pair.tokens.end() - static_cast<std::ptrdiff_t>(limit));
  }
  return pair;
}

}  // namespace trireme
