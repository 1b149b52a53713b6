// SPDX-License-Identifier: Apache-2.0
// A bounded memory of pieces already merged: fixed size, two places per bucket, newest first.
#pragma once

#include <xxhash.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

namespace trireme {

/// A piece of at most 15 bytes in two words, its length in the highest byte of the second.
struct ShortKey {
  std::uint64_t low;
  std::uint64_t high;

  bool operator==(const ShortKey&) const = default;

  /// `length` is 1 to 15. Reads 16 bytes at p where `readable` allows it (little-endian hosts only).
  static ShortKey of(const std::uint8_t* p, std::size_t length, std::size_t readable) {
    std::uint64_t words[2] = {0, 0};
    if (readable >= 16) {
      std::memcpy(words, p, 16);
      const std::size_t low_bits = length < 8 ? 8 * length : 64;
      const std::size_t high_bits = length < 8 ? 0 : 8 * (length - 8);
      words[0] &= low_bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << low_bits) - 1;
      words[1] &= (std::uint64_t{1} << high_bits) - 1;
    } else {
      std::memcpy(words, p, length);
    }
    return {words[0], words[1] | static_cast<std::uint64_t>(length) << 56};
  }
};

class PieceCache {
 public:
  static constexpr std::size_t kLongestShort = 15;
  static constexpr std::size_t kShortIds = 3;
  static constexpr std::size_t kLongestLong = 54;
  static constexpr std::size_t kLongIds = 18;

  /// Pieces of up to 15 bytes and 3 tokens: most of any text. A unit of half a cache line.
  struct Short {
    ShortKey key;
    std::uint32_t count;
    std::array<std::uint32_t, kShortIds> ids;
  };
  /// The rest up to 54 bytes and 18 tokens: a unit of two lines.
  struct Long {
    std::array<std::uint8_t, kLongestLong> bytes;
    std::uint8_t length;
    std::uint8_t count;
    std::array<std::uint32_t, kLongIds> ids;
  };

  PieceCache() : shorts_(kShorts), longs_(kLongs) {}

  /// Null if the piece is not remembered.
  const Short* find(const ShortKey& key) const {
    const Short* bucket = &shorts_[bucket_of(key)];
    if (bucket[0].key == key) return bucket;
    if (bucket[1].key == key) return bucket + 1;
    return nullptr;
  }
  const Long* find_long(const std::uint8_t* p, std::size_t length) const {
    const Long& entry = longs_[long_slot(p, length)];
    return entry.length == length && std::memcmp(entry.bytes.data(), p, length) == 0 ? &entry : nullptr;
  }

  /// Remembers a piece of at most kShortIds tokens.
  void put(const ShortKey& key, const std::vector<std::uint32_t>& ids) {
    Short* bucket = &shorts_[bucket_of(key)];
    bucket[1] = bucket[0];
    bucket[0].key = key;
    bucket[0].count = static_cast<std::uint32_t>(ids.size());
    std::memcpy(bucket[0].ids.data(), ids.data(), 4 * ids.size());
  }
  /// Remembers a piece where its tokens fit; otherwise does nothing.
  void put_long(const std::uint8_t* p, std::size_t length, const std::vector<std::uint32_t>& ids) {
    if (ids.size() > kLongIds) return;
    Long& entry = longs_[long_slot(p, length)];
    std::memcpy(entry.bytes.data(), p, length);
    entry.length = static_cast<std::uint8_t>(length);
    entry.count = static_cast<std::uint8_t>(ids.size());
    std::memcpy(entry.ids.data(), ids.data(), 4 * ids.size());
  }

 private:
  static constexpr std::size_t kShorts = std::size_t{1} << 17;  // 4 MiB
  static constexpr std::size_t kLongs = std::size_t{1} << 14;   // 2 MiB

  static std::size_t bucket_of(const ShortKey& key) {
    const std::uint64_t mixed = (key.low ^ key.high * 0xD6E8FEB86659FD93ULL) * 0x9E3779B97F4A7C15ULL;
    return (mixed ^ mixed << 23) >> (64 - 16) << 1;
  }
  static std::size_t long_slot(const std::uint8_t* p, std::size_t length) {
    return XXH3_64bits(p, length) & (kLongs - 1);
  }

  std::vector<Short> shorts_;
  std::vector<Long> longs_;
};
static_assert(sizeof(PieceCache::Short) == 32 && sizeof(PieceCache::Long) == 128);

}  // namespace trireme
