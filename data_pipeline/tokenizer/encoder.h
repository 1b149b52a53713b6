// SPDX-License-Identifier: Apache-2.0
// Turns text without added tokens into ids: pattern, cache of pieces, merge loop. One thread's working memory.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "data_pipeline/tokenizer/bpe_merger.h"
#include "data_pipeline/tokenizer/pattern.h"
#include "data_pipeline/tokenizer/piece_cache.h"
#include "data_pipeline/tokenizer/vocabulary.h"

namespace trireme {

/// What an Encoder reads and never writes; shared by all of them.
struct EncodingTables {
  Pattern pattern;
  BpeTables bpe;
  const Vocabulary* whole_pieces;  ///< where a piece is looked up before it is merged; null if it is not
};

class Encoder {
 public:
  /// About 6 MiB, whatever is encoded (and what the longest piece needs). `tables` must outlive this.
  explicit Encoder(const EncodingTables& tables);

  /// Appends the ids of the text (at most 2^31 bytes).
  void encode(std::string_view text, std::vector<std::uint32_t>& out);

 private:
  template <Pattern kPattern>
  void encode_as(std::string_view text, std::vector<std::uint32_t>& out);
  const std::vector<std::uint32_t>& merged(std::string_view piece);

  const EncodingTables* tables_;
  BpeMerger merger_;
  PieceCache cache_;
  std::vector<std::uint32_t> one_;  // the answer of merged() for a piece that is a token
};

}  // namespace trireme
