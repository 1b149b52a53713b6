// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/source/byte_stream.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>
#include <vector>

#include "data_pipeline/source/codec.h"
#include "data_pipeline/source/input_file.h"

namespace trireme {
namespace {

constexpr std::size_t kInputBytes = 256u << 10;
constexpr std::uint64_t kFreeOutput = 1u << 20;  // the ratio of a piece is judged after that much output
constexpr std::size_t kHeadBytes = 16;

class PlainStream final : public ByteStream {
 public:
  PlainStream(std::shared_ptr<const InputFile> file, std::uint64_t begin, std::uint64_t end)
      : file_(std::move(file)), begin_(begin), end_(end), next_(begin), last_(begin) {}

  std::size_t read(char* out, std::size_t n) override {
    const std::size_t got =
        file_->read_at(next_, out, static_cast<std::size_t>(std::min<std::uint64_t>(n, end_ - next_)));
    last_ = next_;
    next_ += got;
    return got;
  }
  std::uint64_t offset() const override { return last_; }
  bool exact() const override { return true; }
  std::string_view damage() const override { return {}; }
  bool resync() override { return false; }
  std::uint64_t consumed() const override { return next_ - begin_; }

 private:
  std::shared_ptr<const InputFile> file_;
  std::uint64_t begin_;
  std::uint64_t end_;
  std::uint64_t next_;
  std::uint64_t last_;
};

class PieceStream final : public ByteStream {
 public:
  PieceStream(std::shared_ptr<const InputFile> file, Compression compression, std::uint64_t begin, std::uint64_t end,
              std::uint64_t max_ratio)
      : file_(std::move(file)),
        compression_(compression),
        codec_(make_codec(compression)),
        begin_(begin),
        end_(end),
        max_ratio_(max_ratio),
        position_(begin),
        piece_(begin),
        buffer_(static_cast<std::size_t>(std::min<std::uint64_t>(kInputBytes, end - begin))) {}

  std::size_t read(char* out, std::size_t n) override {
    if (!damage_.empty() || n == 0) {
      return 0;
    }
    for (;;) {
      if (!in_piece_ && !begin_piece()) {
        return 0;
      }
      const std::string_view in = input(1);
      const Codec::Step step = codec_->decode(in, out, n);
      position_ += step.consumed;
      produced_ += step.produced;
      if (step.state == Codec::State::failed) {
        return lose(step.reason);
      }
      if (produced_ > kFreeOutput && produced_ / max_ratio_ > position_ - piece_) {
        return lose(codec_->too_dense());
      }
      in_piece_ = step.state != Codec::State::done;
      if (step.produced > 0) {
        return step.produced;
      }
      if (in_piece_ && step.consumed == 0) {
        // Neither bytes used nor bytes made: only the end of the input explains that.
        return lose(codec_->truncated());
      }
    }
  }

  std::uint64_t offset() const override { return piece_; }
  bool exact() const override { return false; }
  std::string_view damage() const override { return damage_; }

  bool resync() override {
    assert(!damage_.empty());
    damage_ = {};
    in_piece_ = false;
    const PieceSearch search{.file = *file_, .compression = compression_};
    position_ = search.find(std::min(piece_ + 1, end_), end_);
    return position_ < end_;
  }
  std::uint64_t consumed() const override { return position_ - begin_; }

 private:
  /// The bytes at position_, at least `least` of them unless the range ends first.
  std::string_view input(std::size_t least) {
    const std::uint64_t filled_end = filled_at_ + filled_;
    if (position_ < filled_at_ || position_ + least > filled_end) {
      filled_at_ = position_;
      filled_ = file_->read_at(position_, buffer_.data(),
                               static_cast<std::size_t>(std::min<std::uint64_t>(buffer_.size(), end_ - position_)));
    }
    const auto skip = static_cast<std::size_t>(position_ - filled_at_);
    return {buffer_.data() + skip, filled_ - skip};
  }

  std::size_t lose(std::string_view reason) {
    damage_ = reason;
    return 0;
  }

  bool begin_piece() {
    // Padding with zero bytes after the last piece is common on tapes and harmless.
    std::string_view head = input(kHeadBytes);
    while (!head.empty() && head[0] == '\0') {
      const std::size_t zeros = std::min(head.find_first_not_of('\0'), head.size());
      position_ += zeros;
      head = input(kHeadBytes);
    }
    if (position_ >= end_ || head.empty()) {
      return false;
    }
    piece_ = position_;
    produced_ = 0;
    if (!codec_->begins(head)) {
      lose(codec_->no_piece());
      return false;
    }
    codec_->reset();
    in_piece_ = true;
    return true;
  }

  std::shared_ptr<const InputFile> file_;
  Compression compression_;
  std::unique_ptr<Codec> codec_;
  std::uint64_t begin_;
  std::uint64_t end_;
  std::uint64_t max_ratio_;
  std::uint64_t position_;      // of the next compressed byte
  std::uint64_t piece_;         // where the piece under way begins
  std::uint64_t produced_ = 0;  // bytes that it gave
  bool in_piece_ = false;
  std::string_view damage_;
  std::vector<char> buffer_;
  std::uint64_t filled_at_ = 0;
  std::size_t filled_ = 0;
};

}  // namespace

std::unique_ptr<Codec> make_codec(Compression compression) {
  switch (compression) {
    case Compression::gzip:
      return make_gzip_codec();
    case Compression::bzip2:
      return make_bzip2_codec();
    case Compression::zstd:
      return make_zstd_codec();
    case Compression::none:
      break;
  }
  return nullptr;
}

Compression detect_compression(const InputFile& file, std::uint64_t begin) {
  std::array<char, kHeadBytes> head{};
  const std::size_t got = file.read_at(begin, head.data(), head.size());
  for (const auto compression : {Compression::gzip, Compression::bzip2, Compression::zstd}) {
    if (make_codec(compression)->begins({head.data(), got})) {
      return compression;
    }
  }
  return Compression::none;
}

std::unique_ptr<ByteStream> open_stream(std::shared_ptr<const InputFile> file, Compression compression,
                                        std::uint64_t begin, std::uint64_t end, std::uint64_t max_ratio) {
  end = std::min(end, file->size());
  begin = std::min(begin, end);
  if (compression == Compression::none) {
    return std::make_unique<PlainStream>(std::move(file), begin, end);
  }
  return std::make_unique<PieceStream>(std::move(file), compression, begin, end, std::max<std::uint64_t>(max_ratio, 1));
}

}  // namespace trireme
