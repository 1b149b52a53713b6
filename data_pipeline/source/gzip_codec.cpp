// SPDX-License-Identifier: Apache-2.0
// gzip members by zlib, which checks the CRC and the size of each.
#include <zlib.h>

#include <algorithm>
#include <limits>
#include <string_view>

#include "core/base/error.h"
#include "data_pipeline/source/codec.h"

namespace trireme {
namespace {

constexpr int kGzipWindow = 15 + 16;  // the largest window; +16: a gzip header is expected

class GzipCodec final : public Codec {
 public:
  GzipCodec() { check(inflateInit2(&stream_, kGzipWindow) == Z_OK, "zlib could not start an inflate stream"); }
  ~GzipCodec() override { inflateEnd(&stream_); }
  GzipCodec(const GzipCodec&) = delete;
  GzipCodec& operator=(const GzipCodec&) = delete;

  void reset() override { inflateReset(&stream_); }

  Step decode(std::string_view in, char* out, std::size_t n) override {
    constexpr std::size_t most = std::numeric_limits<uInt>::max();
    const auto in_size = static_cast<uInt>(std::min(in.size(), most));
    const auto out_size = static_cast<uInt>(std::min(n, most));
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));  // zlib does not write there
    stream_.avail_in = in_size;
    stream_.next_out = reinterpret_cast<Bytef*>(out);
    stream_.avail_out = out_size;
    const int status = inflate(&stream_, Z_NO_FLUSH);
    Step step{in_size - stream_.avail_in, out_size - stream_.avail_out, State::more, {}};
    if (status == Z_STREAM_END) {
      step.state = State::done;
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
      const std::string_view message = stream_.msg != nullptr ? stream_.msg : "";
      const bool check_failed = message == "incorrect data check" || message == "incorrect length check";
      step.state = State::failed;
      step.reason = check_failed ? "gzip: checksum or size of a member is wrong" : "gzip: damaged member";
    }
    return step;
  }

  bool begins(std::string_view head) const override {
    // Magic, method deflate, no reserved flag.
    return head.size() >= 10 && head[0] == '\x1f' && head[1] == '\x8b' && head[2] == 8 &&
           (static_cast<unsigned char>(head[3]) & 0xe0u) == 0;
  }
  char first_byte() const override { return '\x1f'; }
  std::string_view truncated() const override { return "gzip: truncated member"; }
  std::string_view too_dense() const override { return "gzip: decompression ratio above its limit"; }
  std::string_view no_piece() const override { return "gzip: bytes that are no member"; }
  std::size_t trial_bytes() const override { return 1024; }

 private:
  z_stream stream_ = {};
};

}  // namespace

std::unique_ptr<Codec> make_gzip_codec() { return std::make_unique<GzipCodec>(); }

}  // namespace trireme
