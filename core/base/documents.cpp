// SPDX-License-Identifier: Apache-2.0
#include "core/base/documents.h"

#include "core/base/error.h"

namespace trireme {

DocumentLengths document_lengths(const Tensor& document_start) {
  DocumentLengths lengths;
  const std::int64_t rows = document_start.shape[0];
  const std::int64_t time = document_start.shape[1];
  for (std::int64_t b = 0; b < rows; ++b) {
    const auto* start = document_start.as<std::int32_t>() + b * time;
    std::int32_t current = 0;
    for (std::int64_t t = 0; t < time; ++t) {
      check(start[t] == current || start[t] == t,
            "row {} of a batch: token {} says that its document begins at {}, expected {} or the token itself", b, t,
            start[t], current);
      if (start[t] != current) ++lengths.counts[static_cast<std::size_t>(DocumentLengths::index(t - current))];
      current = start[t];
    }
    if (time > 0) ++lengths.counts[static_cast<std::size_t>(DocumentLengths::index(time - current))];
  }
  return lengths;
}

}  // namespace trireme
