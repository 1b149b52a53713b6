// SPDX-License-Identifier: Apache-2.0
// XXH3 by libxxhash.
#include "core/io/checksum.h"

#include <xxhash.h>

#include <charconv>
#include <new>

#include "core/base/error.h"

namespace trireme {

std::uint64_t xxh3_64(const void* data, std::size_t bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(data, bytes, seed);
}

std::uint64_t xxh3_64(std::string_view bytes, std::uint64_t seed) { return xxh3_64(bytes.data(), bytes.size(), seed); }

Hash128 xxh3_128(const void* data, std::size_t bytes) {
  const XXH128_hash_t hash = XXH3_128bits(data, bytes);
  return {hash.high64, hash.low64};
}

Hash128 xxh3_128(std::string_view bytes) { return xxh3_128(bytes.data(), bytes.size()); }

std::string hex(std::uint64_t hash) { return fmt::format("{:016x}", hash); }
std::string hex(const Hash128& hash) { return hex(hash.high) + hex(hash.low); }

std::uint64_t hash64_from_hex(std::string_view text, std::string_view where) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, 16);
  // Printing it again refuses upper case, signs and every other spelling of the same number.
  check(text.size() == 16 && error == std::errc() && stop == end && hex(value) == text,
        "{}: 16 lower-case hexadecimal digits expected, '{}' found", where, text);
  return value;
}

Hash128 hash128_from_hex(std::string_view text, std::string_view where) {
  check(text.size() == 32, "{}: 32 lower-case hexadecimal digits expected, '{}' found", where, text);
  return {hash64_from_hex(text.substr(0, 16), where), hash64_from_hex(text.substr(16), where)};
}

struct Xxh3Stream::State {
  State() : xxh(XXH3_createState()) {
    if (xxh == nullptr) throw std::bad_alloc();
    XXH3_128bits_reset(xxh);
  }
  ~State() { XXH3_freeState(xxh); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  XXH3_state_t* xxh;
};

Xxh3Stream::Xxh3Stream() : state_(std::make_unique<State>()) {}
Xxh3Stream::~Xxh3Stream() = default;
Xxh3Stream::Xxh3Stream(Xxh3Stream&&) noexcept = default;
Xxh3Stream& Xxh3Stream::operator=(Xxh3Stream&&) noexcept = default;

void Xxh3Stream::update(const void* data, std::size_t bytes) { XXH3_128bits_update(state_->xxh, data, bytes); }
void Xxh3Stream::update(std::string_view bytes) { update(bytes.data(), bytes.size()); }

Hash128 Xxh3Stream::digest() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(state_->xxh);
  return {hash.high64, hash.low64};
}

}  // namespace trireme
