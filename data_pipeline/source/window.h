// SPDX-License-Identifier: Apache-2.0
// The part of a byte stream that a reader has in its hands, with the place in the file of every byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string_view>
#include <vector>

#include "data_pipeline/source/byte_stream.h"

namespace trireme {

/// Bytes are appended by grow() and given up by drop(); views are valid until the next grow().
class Window {
 public:
  explicit Window(ByteStream& stream) : stream_(stream) {}

  std::string_view data() const { return {buffer_.data() + head_, tail_ - head_}; }
  /// Reads on; false when nothing came: the end of the range, or damage().
  bool grow();
  /// grow() until `n` bytes are there; false when they never come.
  bool need(std::size_t n);
  void drop(std::size_t n);
  /// Passes over `n` bytes without holding them; returns how many there were.
  std::uint64_t skip(std::uint64_t n);

  /// Offset in the file of the byte data()[i], or of the compressed piece that holds it.
  std::uint64_t offset(std::size_t i = 0) const;
  /// Index in data(), greater than `i`, of the next byte that begins a compressed piece; npos if none is held.
  std::size_t next_piece(std::size_t i) const;
  /// True when data()[i] is the first byte of a compressed piece.
  bool begins_piece(std::size_t i) const;

  std::string_view damage() const { return stream_.damage(); }
  /// After damage: forgets what is held and goes on with the next piece that decodes.
  bool resync();

  std::uint64_t decoded() const { return total_; }
  std::uint64_t consumed() const { return stream_.consumed(); }

 private:
  struct Mark {
    std::uint64_t position;  // in the decoded bytes
    std::uint64_t offset;    // in the file
  };
  std::uint64_t position() const { return total_ - (tail_ - head_); }

  ByteStream& stream_;
  std::vector<char> buffer_;
  std::size_t head_ = 0;
  std::size_t tail_ = 0;
  std::uint64_t total_ = 0;  // decoded bytes read so far
  std::deque<Mark> marks_;   // where pieces begin
};

}  // namespace trireme
