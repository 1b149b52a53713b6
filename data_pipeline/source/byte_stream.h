// SPDX-License-Identifier: Apache-2.0
// The decompressed bytes of a file range, piece by piece: a damaged gzip member, bzip2 stream or zstd frame does not
// end it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace trireme {

class InputFile;

enum class Compression { none, gzip, bzip2, zstd };

/// What the first bytes of a file (or of a range that begins at a piece) say.
Compression detect_compression(const InputFile& file, std::uint64_t begin);

/// Decompressed bytes in order. A "piece" is a gzip member, a bzip2 stream or a zstd frame.
class ByteStream {
 public:
  virtual ~ByteStream() = default;

  /// Puts up to n bytes, all of one piece, at `out`; 0 at the end of the range or at damage (see damage()).
  /// All checks of a piece are done before a byte of the next one is returned.
  virtual std::size_t read(char* out, std::size_t n) = 0;
  /// Offset in the file of the piece that the last bytes came from; of these bytes themselves when nothing is
  /// compressed.
  virtual std::uint64_t offset() const = 0;
  /// True when offset() counts single bytes.
  virtual bool exact() const = 0;
  /// Why the last read() returned 0 before the end, one of a few fixed texts; empty at the proper end.
  virtual std::string_view damage() const = 0;
  /// After damage: goes to the next piece that decodes. False when there is none; read() then stays at 0, undamaged.
  virtual bool resync() = 0;
  /// Bytes of the file used so far.
  virtual std::uint64_t consumed() const = 0;
};

/// The bytes [begin, end) of `file`, decompressed; `max_ratio` bounds each piece after its first MiB.
std::unique_ptr<ByteStream> open_stream(std::shared_ptr<const InputFile> file, Compression compression,
                                        std::uint64_t begin, std::uint64_t end, std::uint64_t max_ratio);

}  // namespace trireme
