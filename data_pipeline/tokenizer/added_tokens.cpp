// SPDX-License-Identifier: Apache-2.0
// A scan by first byte, then by the first two, then by comparison: added tokens are few and begin alike.
#include "data_pipeline/tokenizer/added_tokens.h"

#include <algorithm>

namespace trireme {

AddedTokenFinder::AddedTokenFinder(const std::vector<AddedToken>& tokens, bool special_too) {
  for (const AddedToken& token : tokens) {
    if (token.special && !special_too) continue;
    tokens_.push_back(token);
    const auto a = static_cast<unsigned char>(token.content[0]);
    first_.set(a);
    for (std::size_t b = 0; b < 256; ++b) {
      if (token.content.size() == 1 || b == static_cast<unsigned char>(token.content[1])) first_two_.set(a << 8 | b);
    }
  }
  std::stable_sort(tokens_.begin(), tokens_.end(),
                   [](const auto& a, const auto& b) { return a.content.size() > b.content.size(); });
}

AddedTokenFinder::Match AddedTokenFinder::find(std::string_view text, std::size_t from) const {
  if (tokens_.empty()) return {};
  for (std::size_t i = from; i < text.size(); ++i) {
    const auto a = static_cast<unsigned char>(text[i]);
    if (!first_[a]) continue;
    // At the last byte any partner will do: the comparison below decides.
    if (i + 1 < text.size() &&
        !first_two_[static_cast<std::size_t>(a) << 8 | static_cast<unsigned char>(text[i + 1])]) {
      continue;
    }
    for (const AddedToken& token : tokens_) {
      if (text.substr(i, token.content.size()) == token.content) return {i, token.content.size(), token.id};
    }
  }
  return {};
}

}  // namespace trireme
