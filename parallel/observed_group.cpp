// SPDX-License-Identifier: Apache-2.0
#include "parallel/observed_group.h"

#include <utility>

namespace trireme {
namespace {

/// On the board for as long as the scope lasts, however it ends.
class Noted {
 public:
  Noted(StatusBoard& board, const Collective& collective) : board_(board), collective_(collective) {
    board_.begin(collective_);
  }
  ~Noted() { board_.end(collective_); }
  Noted(const Noted&) = delete;
  Noted& operator=(const Noted&) = delete;

 private:
  StatusBoard& board_;
  const Collective collective_;
};

}  // namespace

ObservedGroup::ObservedGroup(Group& inner, StatusBoard& board, int first)
    : inner_(inner),
      board_(board),
      ranks_(static_cast<std::size_t>(inner.size())),
      short_name_(short_name(inner.name())),
      first_(first) {}

ObservedGroup::ObservedGroup(std::unique_ptr<Group> inner, StatusBoard& board, int first, bool notes)
    : ObservedGroup(*inner, board, first) {
  owned_ = std::move(inner);
  notes_ = notes;
}

Collective ObservedGroup::collective(CollectiveKind kind, std::uint64_t number, std::size_t bytes) const {
  return {.group = short_name_,
          .first = first_,
          .size = static_cast<std::int32_t>(ranks_),
          .number = number,
          .bytes = bytes,
          .kind = kind};
}

void ObservedGroup::count(CollectiveKind kind, std::size_t payload, std::size_t ring) {
  Counters& counters = counters_[static_cast<std::size_t>(kind)];
  counters.calls.fetch_add(1, std::memory_order_relaxed);
  counters.payload.fetch_add(static_cast<std::int64_t>(payload), std::memory_order_relaxed);
  counters.ring.fetch_add(static_cast<std::int64_t>(ring), std::memory_order_relaxed);
}

template <class Call>
void ObservedGroup::in_stream(Stream& stream, CollectiveKind kind, std::size_t payload, std::size_t ring,
                              const Call& call) {
  count(kind, payload, ring);
  if (ranks_ == 1 || !notes_) return call();  // waits for nobody, or tells of it elsewhere
  const auto noted = collective(kind, ++stream_calls_, payload);
  stream.call([&board = board_, noted] { board.begin(noted); });
  call();
  stream.call([&board = board_, noted] { board.end(noted); });
}

template <class Call>
auto ObservedGroup::on_host(CollectiveKind kind, std::size_t payload, const Call& call) {
  count(kind, payload, 0);
  const Noted noted(board_, collective(kind, ++host_calls_, payload));
  return call();
}

void ObservedGroup::all_reduce(Stream& stream, const Tensor& t, Reduction reduction) {
  in_stream(stream, CollectiveKind::all_reduce, t.bytes(), 2 * (ranks_ - 1) * t.bytes() / ranks_,
            [&] { inner_.all_reduce(stream, t, reduction); });
}
void ObservedGroup::all_gather(Stream& stream, const Tensor& out, const Tensor& in) {
  in_stream(stream, CollectiveKind::all_gather, out.bytes(), (ranks_ - 1) * in.bytes(),
            [&] { inner_.all_gather(stream, out, in); });
}
void ObservedGroup::reduce_scatter(Stream& stream, const Tensor& out, const Tensor& in) {
  in_stream(stream, CollectiveKind::reduce_scatter, in.bytes(), (ranks_ - 1) * out.bytes(),
            [&] { inner_.reduce_scatter(stream, out, in); });
}
void ObservedGroup::broadcast(Stream& stream, const Tensor& t, int root) {
  in_stream(stream, CollectiveKind::broadcast, t.bytes(), (ranks_ - 1) * t.bytes() / ranks_,
            [&] { inner_.broadcast(stream, t, root); });
}

void ObservedGroup::barrier() {
  on_host(CollectiveKind::barrier, 0, [&] { inner_.barrier(); });
}
void ObservedGroup::host_reduce(std::span<double> values, Reduction reduction) {
  on_host(CollectiveKind::host_reduce, values.size_bytes(), [&] { inner_.host_reduce(values, reduction); });
}
void ObservedGroup::host_reduce(std::span<std::int64_t> values, Reduction reduction) {
  on_host(CollectiveKind::host_reduce, values.size_bytes(), [&] { inner_.host_reduce(values, reduction); });
}
void ObservedGroup::host_sum(std::span<std::uint64_t> values) {
  on_host(CollectiveKind::host_reduce, values.size_bytes(), [&] { inner_.host_sum(values); });
}
void ObservedGroup::host_broadcast(std::string& bytes, int root) {
  const bool here = rank() == root;
  on_host(CollectiveKind::host_broadcast, here ? bytes.size() : 0, [&] { inner_.host_broadcast(bytes, root); });
  // Only now does another rank know how much it was.
  if (!here) {
    counters_[static_cast<std::size_t>(CollectiveKind::host_broadcast)].payload +=
        static_cast<std::int64_t>(bytes.size());
  }
}
std::vector<std::string> ObservedGroup::host_gather(const std::string& bytes) {
  auto all = on_host(CollectiveKind::host_gather, 0, [&] { return inner_.host_gather(bytes); });
  for (const auto& part : all) {
    counters_[static_cast<std::size_t>(CollectiveKind::host_gather)].payload += static_cast<std::int64_t>(part.size());
  }
  return all;
}
void ObservedGroup::reset_tickets() {
  on_host(CollectiveKind::barrier, 0, [&] { inner_.reset_tickets(); });
}

Traffic ObservedGroup::traffic() const {
  Traffic traffic;
  for (std::size_t i = 0; i < counters_.size(); ++i) {
    traffic.kinds[i] = {.calls = counters_[i].calls.load(std::memory_order_relaxed),
                        .payload_bytes = counters_[i].payload.load(std::memory_order_relaxed),
                        .ring_bytes = counters_[i].ring.load(std::memory_order_relaxed)};
  }
  return traffic;
}

Traffic traffic_of(const Group& group) {
  const auto* observed = dynamic_cast<const ObservedGroup*>(&group);
  return observed == nullptr ? Traffic{} : observed->traffic();
}

}  // namespace trireme
