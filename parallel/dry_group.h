// SPDX-License-Identifier: Apache-2.0
// A group of any size of which only one rank exists: it counts what that rank would send, and how long it would take.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "core/base/group.h"
#include "parallel/traffic.h"

namespace trireme {

/// What neighbours of a ring of ranks have between them. Nothing: communication takes no modelled time.
struct RingLink {
  double bytes_per_second = 0.0;  // reached, one direction, of each rank; 0: no limit
  double message_seconds = 0.0;
  double collective_seconds = 0.0;  // of every collective, whatever its size
  double fill_seconds = 0.0;        // of a very long collective besides, half of it of one that moves fill_bytes
  double fill_bytes = 0.0;
};

/// The links of a cluster: of a rank to others of its node, and to those of other nodes.
struct ClusterLinks {
  RingLink within_node;
  RingLink between_nodes;
  std::int64_t ranks_per_node = 1;
};

/// The link of a ring of `size` ranks of which neighbours are `stride` ranks apart, nodes being filled one after
/// another. A ring beyond one node is as fast as its slowest part: the links within a node, or those between nodes of
/// all its ranks of a node together (the rings of the node's other ranks use the others).
RingLink ring_link(const ClusterLinks& links, std::int64_t stride, std::int64_t size);

/// Calls and bytes as in Traffic, the messages that they are sent in, and how long they take.
struct ModelledTraffic : Traffic::Count {
  std::int64_t messages = 0;
  double seconds = 0.0;
};

/// Messages are those of a ring: of p ranks, each sends p-1 in an all-gather or a reduce-scatter, twice as many in an
/// all-reduce, one in a broadcast. Time is a start, plus a message's time for each step of the ring, plus the bytes
/// over the link; of an all-reduce that of a tree if that is shorter (2 log2 p messages, twice the payload). The
/// stream's pass_time() is told. Host collectives are not counted, take no time, and give what ranks that all have the
/// same values would get.
class DryGroup : public Group {
 public:
  /// Throws Error(usage) when rank is not within size.
  DryGroup(std::string name, int rank, int size, const RingLink& link);

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  std::string_view name() const override { return name_; }
  void all_reduce(Stream& stream, const Tensor& t, Reduction reduction) override;
  void all_gather(Stream& stream, const Tensor& out, const Tensor& in) override;
  void reduce_scatter(Stream& stream, const Tensor& out, const Tensor& in) override;
  void broadcast(Stream& stream, const Tensor& t, int root) override;
  void barrier() override {}
  void host_reduce(std::span<double> values, Reduction reduction) override;
  void host_reduce(std::span<std::int64_t> values, Reduction reduction) override;
  void host_sum(std::span<std::uint64_t> values) override;
  void host_broadcast(std::string& bytes, int root) override;
  std::vector<std::string> host_gather(const std::string& bytes) override;
  std::int64_t next_ticket() override { return ticket_++; }
  void reset_tickets() override { ticket_ = 0; }

  /// Collectives on tensors since the last clear_traffic(). Of a group of one rank: none.
  const std::map<CollectiveKind, ModelledTraffic>& traffic() const { return traffic_; }
  void clear_traffic() { traffic_.clear(); }
  /// Communicators that the group has needed so far: one for each stream that it worked on.
  std::int64_t communicators() const { return static_cast<std::int64_t>(streams_.size()); }

 private:
  void check_root(int root) const;
  void count(Stream& stream, CollectiveKind kind, std::size_t payload_bytes, std::size_t ring_bytes,
             std::int64_t messages, double seconds);
  double seconds(std::int64_t messages, std::size_t bytes) const;

  const std::string name_;
  const int rank_, size_;
  const RingLink link_;
  std::map<CollectiveKind, ModelledTraffic> traffic_;
  std::set<std::uint64_t> streams_;  // by id
  std::int64_t ticket_ = 0;
};

}  // namespace trireme
