// SPDX-License-Identifier: Apache-2.0
// Documents of a batch as ragged batches of sequences, as attention on a GPU takes them: which lengths share a graph.
// Found by the batch's shape, so that what is planned and what is taken are the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/documents.h"

namespace trireme {

inline constexpr std::size_t kMostDocumentClasses = 16;

/// Documents of similar length: longer than those of the class before, of at most `longest` tokens. A graph takes
/// `sequences` of them at once, as many as fill the batch were they all of the longest length: so graphs and their
/// workspaces depend on the batch's shape alone, and no workspace is larger than that of attention without documents.
struct DocumentClass {
  std::int64_t longest = 0;
  std::int64_t sequences = 0;
  std::int64_t first = 0;  // slot of the first document in the tables
  std::int64_t runs = 0;   // of the graph

  /// From one run's first slot to the next one's: cuDNN takes tensors that start on 16 bytes.
  std::int64_t stride() const { return (sequences + 3) / 4 * 4; }
  std::int64_t slots() const { return runs * stride(); }
};

/// The classes of batches of `batch` rows of `time` tokens, shortest first, without documents.
std::vector<DocumentClass> document_classes(std::int64_t batch, std::int64_t time);
/// The same with these documents in them; slots are given away in this order.
std::vector<DocumentClass> document_classes(std::int64_t batch, std::int64_t time, const DocumentLengths& documents);

/// Bytes of the tables that say where sequences lie, for any documents in batches of this shape; a multiple of 256.
std::size_t document_table_bytes(std::int64_t batch, std::int64_t time);
/// The same for tables of so many slots.
std::size_t document_table_bytes(std::int64_t slots);
/// Entries of a table of so many slots: one more than slots, and the next table starts on 16 bytes.
inline std::int64_t document_table_entries(std::int64_t slots) { return slots + 4; }

}  // namespace trireme
