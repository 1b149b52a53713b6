// SPDX-License-Identifier: Apache-2.0
// What a host knows of the documents in a batch when a device works on them: how many there are of which length.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "core/base/tensor.h"

namespace trireme {

/// Documents by length, where the part of one that lies in a row of a batch is a document of its own.
struct DocumentLengths {
  /// The index for documents of (2^(k-1), 2^k] tokens is k.
  static int index(std::int64_t length) {
    return static_cast<int>(std::bit_width(static_cast<std::uint64_t>(length - 1)));
  }

  std::array<std::int32_t, 32> counts = {};  // all 0: nothing is known

  bool known() const { return *this != DocumentLengths{}; }
  bool operator==(const DocumentLengths&) const = default;
};

/// Those of document_start, [B, T] i32 in the host's memory: the index in the row of the first token of each token's
/// document. Throws Error for what cannot be one.
DocumentLengths document_lengths(const Tensor& document_start);

}  // namespace trireme
