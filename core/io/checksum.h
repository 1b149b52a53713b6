// SPDX-License-Identifier: Apache-2.0
// Checksums of file content: XXH3 with 64 and 128 bits, whole or in pieces, and their hexadecimal form.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace trireme {

/// A 128-bit hash. Ordered as the number high * 2^64 + low.
struct Hash128 {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  auto operator<=>(const Hash128&) const = default;
};

/// XXH3-64 of `bytes` with a seed (0: the algorithm's default).
std::uint64_t xxh3_64(const void* data, std::size_t bytes, std::uint64_t seed = 0);
std::uint64_t xxh3_64(std::string_view bytes, std::uint64_t seed = 0);
/// XXH3-128 of `bytes`.
Hash128 xxh3_128(const void* data, std::size_t bytes);
Hash128 xxh3_128(std::string_view bytes);

/// 16 or 32 lower-case hexadecimal digits, most significant first (the canonical form that `xxh64sum`-like tools
/// print).
std::string hex(std::uint64_t hash);
std::string hex(const Hash128& hash);
/// The inverse; throws Error naming `where` when `text` is not exactly that form.
std::uint64_t hash64_from_hex(std::string_view text, std::string_view where);
Hash128 hash128_from_hex(std::string_view text, std::string_view where);

/// XXH3-128 of bytes that arrive in pieces: equal to xxh3_128 of their concatenation.
class Xxh3Stream {
 public:
  Xxh3Stream();
  ~Xxh3Stream();
  Xxh3Stream(Xxh3Stream&&) noexcept;
  Xxh3Stream& operator=(Xxh3Stream&&) noexcept;

  void update(const void* data, std::size_t bytes);
  void update(std::string_view bytes);
  /// Of everything so far; the stream may go on.
  Hash128 digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace trireme
