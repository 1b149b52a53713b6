// SPDX-License-Identifier: Apache-2.0
// bzip2 streams by libbz2, which checks the CRC of each block.
#include <bzlib.h>

#include <algorithm>
#include <limits>
#include <string_view>

#include "core/base/error.h"
#include "data_pipeline/source/codec.h"

namespace trireme {
namespace {

constexpr std::string_view kBlockMagic("\x31\x41\x59\x26\x53\x59", 6);
constexpr std::string_view kEndMagic("\x17\x72\x45\x38\x50\x90", 6);

class Bzip2Codec final : public Codec {
 public:
  Bzip2Codec() { start(); }
  ~Bzip2Codec() override { BZ2_bzDecompressEnd(&stream_); }
  Bzip2Codec(const Bzip2Codec&) = delete;
  Bzip2Codec& operator=(const Bzip2Codec&) = delete;

  void reset() override {
    BZ2_bzDecompressEnd(&stream_);
    start();
  }

  Step decode(std::string_view in, char* out, std::size_t n) override {
    constexpr std::size_t most = std::numeric_limits<unsigned>::max();
    const auto in_size = static_cast<unsigned>(std::min(in.size(), most));
    const auto out_size = static_cast<unsigned>(std::min(n, most));
    stream_.next_in = const_cast<char*>(in.data());  // libbz2 does not write there
    stream_.avail_in = in_size;
    stream_.next_out = out;
    stream_.avail_out = out_size;
    const int status = BZ2_bzDecompress(&stream_);
    Step step{in_size - stream_.avail_in, out_size - stream_.avail_out, State::more, {}};
    if (status == BZ_STREAM_END) {
      step.state = State::done;
    } else if (status != BZ_OK) {
      step.state = State::failed;
      step.reason = "bzip2: damaged stream";
    }
    return step;
  }

  bool begins(std::string_view head) const override {
    return head.size() >= 10 && head.starts_with("BZh") && head[3] >= '1' && head[3] <= '9' &&
           (head.substr(4, 6) == kBlockMagic || head.substr(4, 6) == kEndMagic);
  }
  char first_byte() const override { return 'B'; }
  std::string_view truncated() const override { return "bzip2: truncated stream"; }
  std::string_view too_dense() const override { return "bzip2: decompression ratio above its limit"; }
  std::string_view no_piece() const override { return "bzip2: bytes that are no stream"; }
  std::size_t trial_bytes() const override {
    return 1u << 20;
  }  // a block of 900 kB must be whole to show its first byte

 private:
  void start() {
    stream_ = {};
    check(BZ2_bzDecompressInit(&stream_, 0, 0) == BZ_OK, "libbz2 could not start a stream");
  }

  bz_stream stream_ = {};
};

}  // namespace

std::unique_ptr<Codec> make_bzip2_codec() { return std::make_unique<Bzip2Codec>(); }

}  // namespace trireme
