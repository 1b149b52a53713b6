// SPDX-License-Identifier: Apache-2.0
// A group that counts what passes through it, and notes on the status board which collective runs.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/group.h"
#include "core/base/status_board.h"
#include "parallel/traffic.h"

namespace trireme {

/// Passes every call on. Collectives on tensors are counted when they are called, and noted on the board when the
/// stream starts and ends them; host calls are counted and noted as they are made.
class ObservedGroup final : public Group {
 public:
  /// `inner` is borrowed; `first`: its lowest rank in the world.
  ObservedGroup(Group& inner, StatusBoard& board, int first = 0);
  /// `notes` false: of collectives on tensors `inner` tells the watchdog itself; here they are only counted.
  ObservedGroup(std::unique_ptr<Group> inner, StatusBoard& board, int first = 0, bool notes = true);

  int rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }
  std::string_view name() const override { return inner_.name(); }

  void all_reduce(Stream& stream, const Tensor& t, Reduction reduction) override;
  void all_gather(Stream& stream, const Tensor& out, const Tensor& in) override;
  void reduce_scatter(Stream& stream, const Tensor& out, const Tensor& in) override;
  void broadcast(Stream& stream, const Tensor& t, int root) override;

  std::shared_ptr<void> share(const Buffer& memory) override { return inner_.share(memory); }
  void barrier() override;
  void host_reduce(std::span<double> values, Reduction reduction) override;
  void host_reduce(std::span<std::int64_t> values, Reduction reduction) override;
  void host_sum(std::span<std::uint64_t> values) override;
  void host_broadcast(std::string& bytes, int root) override;
  std::vector<std::string> host_gather(const std::string& bytes) override;
  std::int64_t next_ticket() override { return inner_.next_ticket(); }
  void reset_tickets() override;

  Traffic traffic() const;

 private:
  struct Counters {
    std::atomic<std::int64_t> calls{0}, payload{0}, ring{0};
  };

  void count(CollectiveKind kind, std::size_t payload, std::size_t ring);
  /// Runs `call`, which enqueues a collective, between two notes in the same stream.
  template <class Call>
  void in_stream(Stream& stream, CollectiveKind kind, std::size_t payload, std::size_t ring, const Call& call);
  template <class Call>
  auto on_host(CollectiveKind kind, std::size_t payload, const Call& call);
  Collective collective(CollectiveKind kind, std::uint64_t number, std::size_t bytes) const;

  std::unique_ptr<Group> owned_;
  Group& inner_;
  StatusBoard& board_;
  const std::size_t ranks_;
  const std::array<char, 16> short_name_;
  const int first_;
  bool notes_ = true;
  std::atomic<std::uint64_t> stream_calls_{0};
  std::atomic<std::uint64_t> host_calls_{0};
  std::array<Counters, kCollectiveKinds> counters_;
};

}  // namespace trireme
