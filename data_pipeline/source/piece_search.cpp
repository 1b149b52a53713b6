// SPDX-License-Identifier: Apache-2.0
// Finding the next gzip member, bzip2 stream or zstd frame in the middle of a file.
#include <algorithm>
#include <cstring>
#include <vector>

#include "data_pipeline/source/codec.h"
#include "data_pipeline/source/input_file.h"

namespace trireme {
namespace {

constexpr std::size_t kScanBytes = 256u << 10;
constexpr std::size_t kHeadBytes = 16;

/// Decodes the piece that may begin at `at`: its first bytes, empty when it is none.
bool trial(const InputFile& file, Codec& codec, std::uint64_t at, std::uint64_t end, std::vector<char>& out,
           std::size_t& produced) {
  std::vector<char> in(static_cast<std::size_t>(std::min<std::uint64_t>(codec.trial_bytes(), end - at)));
  in.resize(file.read_at(at, in.data(), in.size()));
  codec.reset();
  std::size_t used = 0;
  produced = 0;
  for (;;) {
    const auto step = codec.decode({in.data() + used, in.size() - used}, out.data() + produced, out.size() - produced);
    if (step.state == Codec::State::failed) {
      return false;
    }
    used += step.consumed;
    produced += step.produced;
    if (produced == out.size() || step.state == Codec::State::done) {
      return true;
    }
    if (step.consumed == 0 && step.produced == 0) {
      return produced > 0;
    }
  }
}

}  // namespace

std::uint64_t PieceSearch::find(std::uint64_t from, std::uint64_t end) const {
  const std::unique_ptr<Codec> codec = make_codec(compression);
  std::vector<char> window(static_cast<std::size_t>(std::min<std::uint64_t>(kScanBytes, end - std::min(from, end))));
  std::vector<char> first(std::max<std::size_t>(wanted_bytes, 1));
  std::size_t trials = 0;
  while (from < end) {
    const std::size_t got =
        file.read_at(from, window.data(), static_cast<std::size_t>(std::min<std::uint64_t>(window.size(), end - from)));
    const bool last = from + got >= end;
    // A beginning near the end of the window is judged again in the next one, which starts kHeadBytes earlier.
    const std::size_t judged = last || got <= kHeadBytes ? got : got - kHeadBytes;
    for (std::size_t i = 0; i < judged; ++i) {
      const void* hit = std::memchr(window.data() + i, codec->first_byte(), judged - i);
      if (hit == nullptr) {
        break;
      }
      i = static_cast<std::size_t>(static_cast<const char*>(hit) - window.data());
      if (!codec->begins({window.data() + i, std::min(kHeadBytes, got - i)})) {
        continue;
      }
      if (++trials > most_trials) {
        return end;
      }
      std::size_t produced = 0;
      if (trial(file, *codec, from + i, end, first, produced) &&
          (wanted == nullptr || wanted({first.data(), produced}))) {
        return from + i;
      }
    }
    if (judged == 0) {
      break;
    }
    from += judged;
  }
  return end;
}

}  // namespace trireme
