// SPDX-License-Identifier: Apache-2.0
#include "kernels/document_classes.h"

#include <algorithm>

namespace trireme {
namespace {

// Each class's longest document is so many times the one of the class before: a graph's blocks for sequences up to its
// longest end at once where there is no more of one, and runs are few.
constexpr std::int64_t kLengthFactor = 4;
constexpr std::int64_t kShortest = 256;  // two tiles of 128: shorter sequences leave nothing idle that counts

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

std::vector<DocumentClass> document_classes(std::int64_t batch, std::int64_t time) {
  std::vector<DocumentClass> classes;
  for (std::int64_t longest = kShortest;; longest *= kLengthFactor) {
    const std::int64_t length = std::min(longest, time);
    classes.push_back({.longest = length, .sequences = std::max<std::int64_t>(1, batch * time / length)});
    if (length == time) return classes;
  }
}

std::vector<DocumentClass> document_classes(std::int64_t batch, std::int64_t time, const DocumentLengths& documents) {
  std::vector<DocumentClass> classes = document_classes(batch, time);
  std::vector<std::int64_t> counts(classes.size(), 0);
  for (std::size_t k = 0; k < documents.counts.size(); ++k) {
    std::size_t c = 0;
    while (c + 1 < classes.size() && classes[c].longest < std::int64_t{1} << k) ++c;
    counts[c] += documents.counts[k];
  }
  std::int64_t slot = 0;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    classes[c].first = slot;
    classes[c].runs = divide_up(counts[c], classes[c].sequences);
    slot += classes[c].slots();
  }
  return classes;
}

std::size_t document_table_bytes(std::int64_t batch, std::int64_t time) {
  // Each class with as many documents of its shortest length as fit.
  const std::vector<DocumentClass> classes = document_classes(batch, time);
  std::int64_t slots = 0;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const std::int64_t shortest = c == 0 ? 1 : classes[c - 1].longest + 1;
    slots += divide_up(batch * (time / shortest), classes[c].sequences) * classes[c].stride();
  }
  return document_table_bytes(slots);
}

std::size_t document_table_bytes(std::int64_t slots) {
  constexpr std::size_t kAlignment = 256;
  const auto entries = static_cast<std::size_t>(document_table_entries(slots));
  const std::size_t bytes =
      entries * (3 * sizeof(std::int64_t) + sizeof(std::int32_t)) + kMostDocumentClasses * sizeof(std::int32_t);
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace trireme
