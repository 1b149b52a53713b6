// SPDX-License-Identifier: Apache-2.0
// How often each piece of a text occurs: all that training a vocabulary needs to know of a corpus.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data_pipeline/tokenizer/pattern.h"

namespace trireme {

/// Counts of pieces. Counters add up: of the parts of a corpus, in any order and on any number of ranks, they give the
/// same sorted list as one counter of the whole.
class PieceCounter {
 public:
  /// Pieces beyond this are noise (base64, runs of one sign), which no vocabulary should learn: they are left out.
  static constexpr std::size_t kLongestPiece = 1024;

  struct Count {
    std::string_view piece;  ///< valid while its counter lives and is not added to
    std::uint64_t count;
  };

  /// Cuts a text by the pattern and counts its pieces.
  void add(Pattern pattern, std::string_view text);

  /// Counts one piece, not empty, `count` times.
  void add_piece(std::string_view piece, std::uint64_t count);

  /// Adds another counter's counts.
  void merge(const PieceCounter& other);

  /// All pieces by their bytes, ascending.
  std::vector<Count> sorted() const;

  std::size_t distinct() const { return used_; }
  std::uint64_t left_out() const { return left_out_; }  ///< pieces that were too long

  /// The counts as bytes for another rank, and their sum with what is here. The latter fails, saying where, on bytes
  /// that serialise() did not write.
  std::string serialise() const;
  void merge_serialised(std::string_view bytes);

 private:
  struct Entry {
    std::uint64_t hash = 0;
    std::uint64_t begin = 0;
    std::uint64_t count = 0;  // 0: an empty slot
    std::uint32_t length = 0;
  };

  std::string_view piece_of(const Entry& entry) const {
    return std::string_view(arena_).substr(entry.begin, entry.length);
  }
  Entry& slot_of(std::uint64_t hash, std::string_view piece);
  void grow();

  std::vector<Entry> table_;
  std::string arena_;
  std::size_t used_ = 0;
  std::uint64_t left_out_ = 0;
};

}  // namespace trireme
