// SPDX-License-Identifier: Apache-2.0
// Counts the pieces of raw files: what `trireme tokenizer train` reads.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "data_pipeline/source/reader.h"
#include "data_pipeline/tokenizer/piece_counter.h"

namespace trireme {

/// The piece counts of a corpus, and what became of its records.
struct CorpusPieces {
  PieceCounter pieces;
  ReadCounts records;
  std::uint64_t text_bytes = 0;  ///< of the documents
};

/// Reads the documents of all files on `threads` threads and counts their pieces. The kind of a file is told from its
/// name where `kind` is not given, plain text where its name says nothing. The counts do not depend on the order of the
/// files nor on the threads. Fails if there is no document in any of them.
CorpusPieces count_corpus(const std::vector<std::string>& files, std::optional<SourceKind> kind, Pattern pattern,
                          int threads);

}  // namespace trireme
