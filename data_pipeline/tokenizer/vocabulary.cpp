// SPDX-License-Identifier: Apache-2.0
// Token bytes in one arena, found by an open-addressing table over their hashes.
#include "data_pipeline/tokenizer/vocabulary.h"

#include <xxhash.h>

#include <algorithm>
#include <cassert>

namespace trireme {

Vocabulary::Added Vocabulary::add(std::uint32_t id, std::string_view bytes) {
  assert(id < kMostTokens && !bytes.empty());
  if (id < spans_.size() && spans_[id].length > 0) return Added::id_taken;
  if (2 * (count_ + 1) > table_.size()) grow();
  const std::size_t slot = slot_of(bytes);
  if (table_[slot] != 0) return Added::bytes_taken;
  place(id, bytes);
  table_[slot] = id + 1;
  longest_ = std::max(longest_, bytes.size());
  return Added::yes;
}

bool Vocabulary::add_verbatim(std::uint32_t id, std::string_view bytes) {
  assert(id < kMostTokens && !bytes.empty());
  if (id < spans_.size() && spans_[id].length > 0) return false;
  place(id, bytes);
  hidden_[id] = true;
  return true;
}

void Vocabulary::place(std::uint32_t id, std::string_view bytes) {
  if (id >= spans_.size()) {
    spans_.resize(id + std::size_t{1});
    hidden_.resize(id + std::size_t{1});
  }
  spans_[id] = {arena_.size(), static_cast<std::uint32_t>(bytes.size())};
  arena_ += bytes;
  ++count_;
}

std::string_view Vocabulary::bytes(std::uint32_t id) const {
  if (id >= spans_.size()) return {};
  return std::string_view(arena_).substr(spans_[id].begin, spans_[id].length);
}

std::optional<std::uint32_t> Vocabulary::find(std::string_view bytes) const {
  if (table_.empty() || bytes.size() > longest_) return std::nullopt;
  const std::uint32_t found = table_[slot_of(bytes)];
  if (found == 0) return std::nullopt;
  return found - 1;
}

std::size_t Vocabulary::slot_of(std::string_view wanted) const {
  const std::size_t mask = table_.size() - 1;
  std::size_t slot = XXH3_64bits(wanted.data(), wanted.size()) & mask;
  while (table_[slot] != 0 && bytes(table_[slot] - 1) != wanted) slot = (slot + 1) & mask;
  return slot;
}

void Vocabulary::grow() {
  table_.assign(std::max<std::size_t>(1024, 2 * table_.size()), 0);
  for (std::uint32_t id = 0; id < spans_.size(); ++id) {
    if (spans_[id].length > 0 && !hidden_[id]) table_[slot_of(bytes(id))] = id + 1;
  }
}

}  // namespace trireme
