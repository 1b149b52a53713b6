// SPDX-License-Identifier: Apache-2.0
// Gathers within a node by the GPUs' copy engines: every rank pushes its piece into the others' memory, which it has
// mapped, and words in the host's memory keep the order between ranks. No kernel runs and no host waits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/group.h"
#include "core/base/status_board.h"
#include "parallel/gather_words.h"
#include "parallel/shared_ranges.h"

namespace trireme {

class CopyGather {
 public:
  /// For the ranks of `host`, each on the current CUDA device of its calling thread; borrowed.
  explicit CopyGather(Group& host);
  /// By all ranks together, after what is shared. While an exception is in flight the GPU may still be at work: call
  /// abandon() instead.
  ~CopyGather();
  CopyGather(const CopyGather&) = delete;
  CopyGather& operator=(const CopyGather&) = delete;

  /// As Group::share. None on every rank alike where one of them cannot; then problem() says why, and nothing is
  /// tried again.
  std::shared_ptr<void> share(const Buffer& memory);
  const std::string& problem() const { return problem_; }

  /// Whether gathers into `out` from this stream can go by copies.
  bool can(const Stream& stream, const Tensor& out);
  /// As Group::all_gather, for what can() allows; `note` is what the watchdog is told of it.
  void all_gather(Stream& stream, const Tensor& out, const Tensor& in, const Collective& note);

  /// Lets go of nothing: the process ends, and its GPU may still write wherever this class has let it.
  static void abandon(std::unique_ptr<CopyGather> gather);

 private:
  class Shared;
  struct Lane;

  bool agree(const std::string& own);
  void connect();
  std::vector<std::byte*> map(const Buffer& memory);
  std::string open(const std::vector<std::string>& offers, std::vector<std::byte*>& peers) const;
  void unmap(const std::vector<std::byte*>& peers) const;
  void let_go(std::size_t number);
  std::size_t lane_of(const Stream& stream);
  std::uintptr_t word(std::size_t lane, GatherSign sign, int reader, int writer) const;

  Group& host_;
  const std::size_t rank_, ranks_;
  int device_ = 0;
  std::string problem_;
  std::shared_ptr<GatherWords> words_;  // none before the first share()
  std::byte* words_of_device_ = nullptr;
  SharedRanges ranges_;
  std::map<std::size_t, std::vector<std::byte*>> peers_;  // by number of the range: its begin, by rank
  std::map<std::uint64_t, std::size_t> by_stream_;        // by the stream's id
  std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace trireme
