// SPDX-License-Identifier: Apache-2.0
// What the compressed streams have in common: a decoder of one piece, and the look of the place where a piece begins.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "data_pipeline/source/byte_stream.h"

namespace trireme {

/// Decoder of one piece at a time.
class Codec {
 public:
  enum class State { more, done, failed };
  struct Step {
    std::size_t consumed = 0;
    std::size_t produced = 0;
    State state = State::more;
    std::string_view reason;  ///< when failed: a fixed text
  };

  virtual ~Codec() = default;
  /// Forgets the piece under way.
  virtual void reset() = 0;
  /// Decodes from `in` to `out`, at most to the end of the piece.
  virtual Step decode(std::string_view in, char* out, std::size_t n) = 0;
  /// True when `head` (up to 16 bytes) can be the beginning of a piece.
  virtual bool begins(std::string_view head) const = 0;
  /// The first byte of every piece.
  virtual char first_byte() const = 0;
  /// What a piece that stops at the end of the range is called.
  virtual std::string_view truncated() const = 0;
  virtual std::string_view too_dense() const = 0;
  virtual std::string_view no_piece() const = 0;
  /// Bytes of input in which a true piece shows its first bytes of output, for trials on suspected beginnings.
  virtual std::size_t trial_bytes() const = 0;
};

std::unique_ptr<Codec> make_gzip_codec();
std::unique_ptr<Codec> make_bzip2_codec();
std::unique_ptr<Codec> make_zstd_codec();
std::unique_ptr<Codec> make_codec(Compression compression);

/// The first place in [from, end) of `file` at which a piece begins, shown by decoding its first bytes; `end` if none.
/// `wanted`, when given, judges these bytes (at most `wanted_bytes` of them).
struct PieceSearch {
  const InputFile& file;
  Compression compression;
  std::size_t wanted_bytes = 1;
  bool (*wanted)(std::string_view first_bytes) = nullptr;
  std::size_t most_trials = 1'000'000;  ///< give up (as if none) after that many suspects

  std::uint64_t find(std::uint64_t from, std::uint64_t end) const;
};

}  // namespace trireme
