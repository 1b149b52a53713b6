// SPDX-License-Identifier: Apache-2.0
// An open-addressing table of pieces over one arena.
#include "data_pipeline/tokenizer/piece_counter.h"

#include <xxhash.h>

#include <algorithm>

#include "core/base/error.h"
#include "data_pipeline/tokenizer/piece_scanner.h"

namespace trireme {
namespace {

void append_number(std::string& out, std::uint64_t value) {
  for (int i = 0; i < 8; ++i) out += static_cast<char>(value >> 8 * i & 0xFFU);
}

std::uint64_t read_number(std::string_view bytes, std::size_t at) {
  check(bytes.size() >= 8 && at <= bytes.size() - 8, "piece counts end at byte {}, expected 8 more at {}", bytes.size(),
        at);
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value |= std::uint64_t{static_cast<unsigned char>(bytes[at + i])} << 8 * i;
  return value;
}

}  // namespace

void PieceCounter::add(Pattern pattern, std::string_view text) {
  for_each_piece(pattern, text, [this](std::string_view piece) { add_piece(piece, 1); });
}

void PieceCounter::add_piece(std::string_view piece, std::uint64_t count) {
  if (piece.size() > kLongestPiece) {
    left_out_ += count;
    return;
  }
  if (2 * (used_ + 1) > table_.size()) grow();
  const std::uint64_t hash = XXH3_64bits(piece.data(), piece.size());
  Entry& entry = slot_of(hash, piece);
  if (entry.count == 0) {
    entry = {hash, arena_.size(), 0, static_cast<std::uint32_t>(piece.size())};
    arena_ += piece;
    ++used_;
  }
  entry.count += count;
}

void PieceCounter::merge(const PieceCounter& other) {
  for (const Entry& entry : other.table_) {
    if (entry.count > 0) add_piece(other.piece_of(entry), entry.count);
  }
  left_out_ += other.left_out_;
}

std::vector<PieceCounter::Count> PieceCounter::sorted() const {
  std::vector<Count> all;
  all.reserve(used_);
  for (const Entry& entry : table_) {
    if (entry.count > 0) all.push_back({piece_of(entry), entry.count});
  }
  std::sort(all.begin(), all.end(), [](const Count& a, const Count& b) { return a.piece < b.piece; });
  return all;
}

std::string PieceCounter::serialise() const {
  std::string bytes;
  append_number(bytes, used_);
  append_number(bytes, left_out_);
  for (const Count& each : sorted()) {
    append_number(bytes, each.piece.size());
    bytes += each.piece;
    append_number(bytes, each.count);
  }
  return bytes;
}

void PieceCounter::merge_serialised(std::string_view bytes) {
  const std::uint64_t pieces = read_number(bytes, 0);
  left_out_ += read_number(bytes, 8);
  std::size_t at = 16;
  for (std::uint64_t i = 0; i < pieces; ++i) {
    const std::uint64_t length = read_number(bytes, at);
    at += 8;
    check(length > 0 && length <= kLongestPiece && length <= bytes.size() - at,
          "piece counts: piece {} at byte {} has {} bytes, expected 1 to {}", i, at, length, kLongestPiece);
    const std::uint64_t count = read_number(bytes, at + length);
    check(count > 0, "piece counts: piece {} at byte {} has count 0", i, at);
    add_piece(bytes.substr(at, length), count);
    at += length + 8;
  }
  check(at == bytes.size(), "piece counts end at byte {}, expected the end at {}", bytes.size(), at);
}

PieceCounter::Entry& PieceCounter::slot_of(std::uint64_t hash, std::string_view piece) {
  const std::size_t mask = table_.size() - 1;
  std::size_t slot = hash & mask;
  while (table_[slot].count != 0 && (table_[slot].hash != hash || piece_of(table_[slot]) != piece)) {
    slot = (slot + 1) & mask;
  }
  return table_[slot];
}

void PieceCounter::grow() {
  std::vector<Entry> old(std::max<std::size_t>(1024, 2 * table_.size()));
  old.swap(table_);
  const std::size_t mask = table_.size() - 1;
  for (const Entry& entry : old) {
    if (entry.count == 0) continue;
    std::size_t slot = entry.hash & mask;
    while (table_[slot].count != 0) slot = (slot + 1) & mask;
    table_[slot] = entry;
  }
}

}  // namespace trireme
