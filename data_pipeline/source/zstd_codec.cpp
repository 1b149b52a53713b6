// SPDX-License-Identifier: Apache-2.0
// zstd frames by libzstd, with a bound on the window that a frame may ask for.
#include <zstd.h>

#include <algorithm>
#include <string_view>

#include "core/base/error.h"
#include "data_pipeline/source/codec.h"

namespace trireme {
namespace {

constexpr int kMostWindowLog = 27;  // 128 MiB: what `zstd --long` writes; more is memory that the file would choose

class ZstdCodec final : public Codec {
 public:
  ZstdCodec() : context_(ZSTD_createDCtx()) {
    check(context_ != nullptr, "libzstd could not start a stream");
    const std::size_t status = ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, kMostWindowLog);
    check(ZSTD_isError(status) == 0, "libzstd refuses a window limit of 2^{} bytes", kMostWindowLog);
  }
  ~ZstdCodec() override { ZSTD_freeDCtx(context_); }
  ZstdCodec(const ZstdCodec&) = delete;
  ZstdCodec& operator=(const ZstdCodec&) = delete;

  void reset() override { ZSTD_DCtx_reset(context_, ZSTD_reset_session_only); }

  Step decode(std::string_view in, char* out, std::size_t n) override {
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    ZSTD_outBuffer to{out, n, 0};
    const std::size_t status = ZSTD_decompressStream(context_, &to, &from);
    Step step{from.pos, to.pos, State::more, {}};
    if (ZSTD_isError(status) != 0) {
      step.state = State::failed;
      const bool window = std::string_view(ZSTD_getErrorName(status)) == "Frame requires too much memory for decoding";
      step.reason = window ? "zstd: frame asks for a window above 128 MiB" : "zstd: damaged frame";
    } else if (status == 0) {
      step.state = State::done;
    }
    return step;
  }

  bool begins(std::string_view head) const override {
    if (head.size() < 4) {
      return false;
    }
    const bool skippable = (static_cast<unsigned char>(head[0]) & 0xf0u) == 0x50 && head.substr(1, 3) == "\x2a\x4d\x18";
    return skippable || head.substr(0, 4) == "\x28\xb5\x2f\xfd";
  }
  char first_byte() const override { return '\x28'; }
  std::string_view truncated() const override { return "zstd: truncated frame"; }
  std::string_view too_dense() const override { return "zstd: decompression ratio above its limit"; }
  std::string_view no_piece() const override { return "zstd: bytes that are no frame"; }
  std::size_t trial_bytes() const override { return 160u << 10; }  // a block has at most 128 KiB

 private:
  ZSTD_DCtx* context_;
};

}  // namespace

std::unique_ptr<Codec> make_zstd_codec() { return std::make_unique<ZstdCodec>(); }

}  // namespace trireme
