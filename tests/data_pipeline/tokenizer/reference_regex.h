// SPDX-License-Identifier: Apache-2.0
// A small backtracking regular-expression matcher: the slow reference for the pre-tokenisers. It interprets the regular
// expressions as they are written and takes its character classes from utf8proc.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace trireme {

class ReferenceRegex {
 public:
  /// Knows what the patterns use: | (?:) (?i:) [] [^] \p{..} \s \S \r \n (?!..) $ and the quantifiers ? * + {a,b}, +
  /// behind
  /// * or + for possessive ones.
  explicit ReferenceRegex(std::string_view pattern);
  ~ReferenceRegex();

  /// All matches in order, which must cover the text: a code point that none matches is a piece of its own. A byte that
  /// is not UTF-8 is a symbol.
  std::vector<std::string> pieces(std::string_view text) const;

  struct Node;

 private:
  std::unique_ptr<Node> root_;
};

/// Whether utf8proc's (older) Unicode version knows the code point.
bool reference_knows(char32_t code);

}  // namespace trireme
