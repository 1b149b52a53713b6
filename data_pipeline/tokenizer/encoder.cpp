// SPDX-License-Identifier: Apache-2.0
// The hot loop of tokenisation: find a piece, look it up, append its ids; merge only what has not been seen.
#include "data_pipeline/tokenizer/encoder.h"

#include <algorithm>
#include <cstring>

#include "data_pipeline/tokenizer/piece_scanner.h"

namespace trireme {
namespace {

/// Ids on their way to the caller's vector, so that the loop writes to a fixed place and appends in blocks.
class Outbox {
 public:
  explicit Outbox(std::vector<std::uint32_t>& out) : out_(&out) {}

  /// Appends up to PieceCache::kShortIds ids by writing all three places.
  void put(const PieceCache::Short& entry) {
    std::memcpy(block_.data() + used_, entry.ids.data(), sizeof entry.ids);
    used_ += entry.count;
    if (used_ > kBlock) flush();
  }
  void put(const std::uint32_t* ids, std::size_t count) {
    flush();
    out_->insert(out_->end(), ids, ids + count);
  }
  void put_few(const std::uint32_t* ids, std::size_t count) {
    std::memcpy(block_.data() + used_, ids, 4 * count);
    used_ += count;
    if (used_ > kBlock) flush();
  }
  void flush() {
    out_->insert(out_->end(), block_.begin(), block_.begin() + static_cast<std::ptrdiff_t>(used_));
    used_ = 0;
  }

 private:
  static constexpr std::size_t kBlock = 1024;
  static constexpr std::size_t kMostAtOnce = 32;
  static_assert(PieceCache::kLongIds <= kMostAtOnce);

  std::vector<std::uint32_t>* out_;
  std::size_t used_ = 0;
  std::array<std::uint32_t, kBlock + kMostAtOnce + 1> block_;
};

}  // namespace

Encoder::Encoder(const EncodingTables& tables) : tables_(&tables), merger_(tables.bpe), one_(1) {}

void Encoder::encode(std::string_view text, std::vector<std::uint32_t>& out) {
  switch (tables_->pattern) {
    case Pattern::gpt2:
      return encode_as<Pattern::gpt2>(text, out);
    case Pattern::cl100k:
      return encode_as<Pattern::cl100k>(text, out);
    case Pattern::qwen2:
      return encode_as<Pattern::qwen2>(text, out);
    case Pattern::o200k:
      return encode_as<Pattern::o200k>(text, out);
  }
}

const std::vector<std::uint32_t>& Encoder::merged(std::string_view piece) {
  if (tables_->whole_pieces) {
    if (const auto id = tables_->whole_pieces->find(piece)) {
      one_[0] = *id;
      return one_;
    }
  }
  return merger_.merge(piece);
}

template <Pattern kPattern>
void Encoder::encode_as(std::string_view text, std::vector<std::uint32_t>& out) {
  const auto* p = reinterpret_cast<const std::uint8_t*>(text.data());
  const std::uint8_t* end = p + text.size();
  const PieceScanner<kPattern> scanner(end, unicode_flags());
  Outbox outbox(out);
  while (p < end) {
    const std::uint8_t* q = scanner.next(p);
    const auto length = static_cast<std::size_t>(q - p);
    const std::string_view piece(reinterpret_cast<const char*>(p), length);
    if (length <= PieceCache::kLongestShort) {
      const ShortKey key = ShortKey::of(p, length, static_cast<std::size_t>(end - p));
      if (const PieceCache::Short* known = cache_.find(key)) {
        outbox.put(*known);
      } else if (const PieceCache::Long* rich = cache_.find_long(p, length)) {
        outbox.put_few(rich->ids.data(), rich->count);
      } else {
        const auto& ids = merged(piece);
        if (ids.size() <= PieceCache::kShortIds) {
          cache_.put(key, ids);
        } else {
          cache_.put_long(p, length, ids);
        }
        outbox.put_few(ids.data(), ids.size());
      }
    } else if (length <= PieceCache::kLongestLong) {
      if (const PieceCache::Long* known = cache_.find_long(p, length)) {
        outbox.put_few(known->ids.data(), known->count);
      } else {
        const auto& ids = merged(piece);
        cache_.put_long(p, length, ids);
        outbox.put(ids.data(), ids.size());
      }
    } else {
      const auto& ids = merged(piece);
      outbox.put(ids.data(), ids.size());
    }
    p = q;
  }
  outbox.flush();
}

}  // namespace trireme
