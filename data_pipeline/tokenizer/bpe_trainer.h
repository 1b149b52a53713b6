// SPDX-License-Identifier: Apache-2.0
// Learns a byte-pair vocabulary from piece counts: the most frequent pair first, ties to the smaller ids.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data_pipeline/tokenizer/piece_counter.h"
#include "data_pipeline/tokenizer/tokenizer_model.h"

namespace trireme {

struct BpeTraining {
  Pattern pattern = Pattern::gpt2;
  std::uint32_t vocab_size = 0;                           ///< special tokens and the 256 bytes included
  std::vector<std::string> specials = {"<|endoftext|>"};  ///< get the ids from 0
  std::uint64_t min_count = 2;                            ///< a pair rarer than this is not merged
};

/// The model that `pieces` give: the same for the same counts, whatever order or number of threads or ranks they came
/// from. Ids: special tokens, then bytes in the order of their byte-level spelling, then merges in order. Smaller than
/// vocab_size if no pair is left that occurs min_count times. A merge whose bytes are a token already gets its id.
TokenizerModel train_bpe(const PieceCounter& pieces, const BpeTraining& training);

}  // namespace trireme
