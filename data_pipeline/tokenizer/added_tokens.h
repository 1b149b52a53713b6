// SPDX-License-Identifier: Apache-2.0
// Finds added tokens in text: leftmost first, the longest of those that begin at one place.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data_pipeline/tokenizer/tokenizer_model.h"

namespace trireme {

class AddedTokenFinder {
 public:
  struct Match {
    std::size_t begin = std::string_view::npos;  ///< npos: nothing found
    std::size_t length = 0;
    std::uint32_t id = 0;
  };

  /// Looks for all tokens, or for those only that are not special.
  AddedTokenFinder(const std::vector<AddedToken>& tokens, bool special_too);

  bool empty() const { return tokens_.empty(); }

  /// The first match at or behind `from`.
  Match find(std::string_view text, std::size_t from) const;

 private:
  std::vector<AddedToken> tokens_;  // longest first
  std::bitset<256> first_;
  std::bitset<65536> first_two_;
};

}  // namespace trireme
