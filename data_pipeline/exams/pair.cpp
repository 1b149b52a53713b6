// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/exams/pair.h"

#include <algorithm>
#include <string>

#include "core/base/error.h"
#include "data_pipeline/exams/text.h"

namespace trireme {
namespace {

using Ids = std::vector<std::uint32_t>;

bool is_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

/// A context's tokens, and how many of them stand whatever is written behind the context.
///
/// In every pattern, a piece ends between a line feed and a letter, and what stands before that place does not change
/// with what follows the letter: pieces look one character ahead at most. Merges stay within pieces. So only the last
/// line has to be encoded anew with each continuation.
class EncodedContext {
 public:
  EncodedContext(const Tokenizer& tokenizer, std::string_view text) : tokenizer_(tokenizer), last_line_(text) {
    tokenizer.encode(text, ids_);
    const auto& added = tokenizer.model().added;
    if (std::any_of(added.begin(), added.end(), [](const AddedToken& a) { return !a.special; })) return;
    auto at = text.rfind('\n');
    while (at != std::string_view::npos && (at + 1 >= text.size() || !is_letter(text[at + 1]))) {
      at = at == 0 ? std::string_view::npos : text.rfind('\n', at - 1);
    }
    if (at == std::string_view::npos) return;
    std::size_t bytes = 0;
    auto fixed = ids_.size();
    while (fixed > 0 && bytes < text.size() - at - 1) bytes += tokenizer.token_bytes(ids_[--fixed]).size();
    if (bytes != text.size() - at - 1) return;
    fixed_ = fixed;
    last_line_ = text.substr(at + 1);
  }

  const Ids& ids() const { return ids_; }
  /// The tokens of the context with `more` behind it.
  Ids with(std::string_view more) const {
    Ids whole(ids_.begin(), ids_.begin() + static_cast<std::ptrdiff_t>(fixed_));
    tokenizer_.encode(std::string(last_line_) + std::string(more), whole);
    return whole;
  }

 private:
  const Tokenizer& tokenizer_;
  Ids ids_;
  std::size_t fixed_ = 0;
  std::string_view last_line_;  // the text beyond the fixed tokens
};

TokenPair joined(const Ids& before, const Ids& after, const PairRules& rules) {
  check(!after.empty(), "an empty continuation cannot be scored");
  check(static_cast<std::int64_t>(after.size()) <= rules.max_tokens,
        "a continuation of {} tokens is longer than the model's context of {}", after.size(), rules.max_tokens);
  TokenPair pair;
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

}  // namespace

std::vector<TokenPair> encode_pairs(const Tokenizer& tokenizer, std::string_view context,
                                    std::span<const std::string> continuations, const PairRules& rules) {
  if (rules.bos && context.starts_with(tokenizer.token_bytes(*rules.bos))) {
    context.remove_prefix(tokenizer.token_bytes(*rules.bos).size());
  }
  const auto stripped = strip_end(context);
  const auto blanks = std::string(context.substr(stripped.size()));
  const EncodedContext encoded(tokenizer, stripped);
  Ids before;
  if (rules.bos) before.push_back(*rules.bos);
  if (stripped.empty() && before.empty()) {
    check(rules.empty_prefix.has_value(),
          "an empty context, and the tokenizer has neither BOS nor EOS to stand for it");
    before.push_back(*rules.empty_prefix);
  }
  before.insert(before.end(), encoded.ids().begin(), encoded.ids().end());
  std::vector<TokenPair> pairs;
  for (const auto& continuation : continuations) {
    const auto whole = encoded.with(blanks + continuation);
    const bool fallback = whole.size() <= encoded.ids().size();
    const auto after = fallback ? tokenizer.encode(blanks + continuation)
                                : Ids(whole.begin() + static_cast<std::ptrdiff_t>(encoded.ids().size()), whole.end());
    pairs.push_back(joined(before, after, rules));
    pairs.back().fallback = fallback;
  }
  return pairs;
}

TokenPair encode_pair(const Tokenizer& tokenizer, std::string_view context, std::string_view continuation,
                      const PairRules& rules) {
  const std::string one(continuation);
  return encode_pairs(tokenizer, context, {&one, 1}, rules).front();
}

}  // namespace trireme
