// SPDX-License-Identifier: Apache-2.0
#include "parallel/dry_group.h"

#include <algorithm>
#include <bit>

#include "core/base/error.h"
#include "parallel/parallel.h"

namespace trireme {

RingLink ring_link(const ClusterLinks& links, std::int64_t stride, std::int64_t size) {
  const std::int64_t together = std::clamp<std::int64_t>(links.ranks_per_node / stride, 1, size);
  if (together == size) return links.within_node;
  RingLink link = links.between_nodes;
  link.bytes_per_second *= static_cast<double>(together);
  if (together > 1) link.bytes_per_second = std::min(link.bytes_per_second, links.within_node.bytes_per_second);
  return link;
}

DryGroup::DryGroup(std::string name, int rank, int size, const RingLink& link)
    : name_(std::move(name)), rank_(rank), size_(size), link_(link) {
  check_usage(size >= 1 && rank >= 0 && rank < size, "group {}: rank {} of {} ranks", name_, rank, size);
}

double DryGroup::seconds(std::int64_t messages, std::size_t bytes) const {
  const double moving = link_.bytes_per_second > 0.0 ? static_cast<double>(bytes) / link_.bytes_per_second : 0.0;
  const double filled =
      link_.fill_bytes > 0.0 ? static_cast<double>(bytes) / (static_cast<double>(bytes) + link_.fill_bytes) : 0.0;
  return link_.collective_seconds + static_cast<double>(messages) * link_.message_seconds + moving +
         filled * link_.fill_seconds;
}

void DryGroup::count(Stream& stream, CollectiveKind kind, std::size_t payload_bytes, std::size_t ring_bytes,
                     std::int64_t messages, double seconds) {
  if (size_ == 1) return;
  streams_.insert(stream.id());
  ModelledTraffic& traffic = traffic_[kind];
  traffic.calls += 1;
  traffic.payload_bytes += static_cast<std::int64_t>(payload_bytes);
  traffic.ring_bytes += static_cast<std::int64_t>(ring_bytes);
  traffic.messages += messages;
  traffic.seconds += seconds;
  stream.pass_time(seconds);
}

void DryGroup::all_reduce(Stream& stream, const Tensor& t, Reduction /*reduction*/) {
  const std::int64_t steps = 2 * (std::int64_t{size_} - 1);
  const std::size_t sent = static_cast<std::size_t>(steps) * t.bytes() / static_cast<std::size_t>(size_);
  const auto depth = static_cast<std::int64_t>(std::bit_width(static_cast<unsigned>(size_ - 1)));
  const double tree = seconds(2 * depth, 2 * t.bytes());
  count(stream, CollectiveKind::all_reduce, t.bytes(), sent, steps, std::min(seconds(steps, sent), tree));
}

void DryGroup::all_gather(Stream& stream, const Tensor& out, const Tensor& in) {
  check(out.bytes() == static_cast<std::size_t>(size_) * in.bytes(),
        "group {}: all_gather of {} bytes from each of {} ranks into {} bytes", name_, in.bytes(), size_, out.bytes());
  const std::size_t sent = out.bytes() - in.bytes();
  count(stream, CollectiveKind::all_gather, out.bytes(), sent, size_ - 1, seconds(size_ - 1, sent));
}

void DryGroup::reduce_scatter(Stream& stream, const Tensor& out, const Tensor& in) {
  check(in.bytes() == static_cast<std::size_t>(size_) * out.bytes(),
        "group {}: reduce_scatter of {} bytes into {} bytes on each of {} ranks", name_, in.bytes(), out.bytes(),
        size_);
  const std::size_t sent = in.bytes() - out.bytes();
  count(stream, CollectiveKind::reduce_scatter, in.bytes(), sent, size_ - 1, seconds(size_ - 1, sent));
}

void DryGroup::broadcast(Stream& stream, const Tensor& t, int root) {
  check_root(root);
  const std::size_t sent = static_cast<std::size_t>(size_ - 1) * t.bytes() / static_cast<std::size_t>(size_);
  count(stream, CollectiveKind::broadcast, t.bytes(), sent, 1, seconds(size_ - 1, t.bytes()));
}

void DryGroup::host_reduce(std::span<double> values, Reduction reduction) {
  if (reduction == Reduction::max) return;
  for (double& value : values) value *= size_;
}

void DryGroup::host_reduce(std::span<std::int64_t> values, Reduction reduction) {
  if (reduction == Reduction::max) return;
  for (std::int64_t& value : values) value *= size_;
}

void DryGroup::host_sum(std::span<std::uint64_t> values) {
  for (std::uint64_t& value : values) value *= static_cast<std::uint64_t>(size_);
}

void DryGroup::host_broadcast(std::string& /*bytes*/, int root) { check_root(root); }

std::vector<std::string> DryGroup::host_gather(const std::string& bytes) {
  return std::vector<std::string>(static_cast<std::size_t>(size_), bytes);
}

void DryGroup::check_root(int root) const {
  check(root >= 0 && root < size_, "group {}: root {} of {} ranks", name_, root, size_);
}

std::unique_ptr<DryGroup> make_dry_group(std::string name, int rank, int size, const RingLink& link) {
  return std::make_unique<DryGroup>(std::move(name), rank, size, link);
}

}  // namespace trireme
