// SPDX-License-Identifier: Apache-2.0
// A group with a clock: what its collectives take of the stream that they are called on.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/group.h"
#include "kernels/kernels.h"

namespace trireme {

class MeasuredGroup final : public Group {
 public:
  /// Both are borrowed.
  MeasuredGroup(Group& inner, StreamClock& clock) : inner_(inner), clock_(clock) {}

  /// Whether times are taken from now on; they are not at first.
  void measure(bool on) { on_ = on; }
  /// Seconds of all collectives since the last call, whose marks are forgotten. The stream has been synchronized.
  double take();

  int rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }
  std::string_view name() const override { return inner_.name(); }

  void all_reduce(Stream& stream, const Tensor& t, Reduction reduction) override;
  void all_gather(Stream& stream, const Tensor& out, const Tensor& in) override;
  void reduce_scatter(Stream& stream, const Tensor& out, const Tensor& in) override;
  void broadcast(Stream& stream, const Tensor& t, int root) override;

  std::shared_ptr<void> share(const Buffer& memory) override { return inner_.share(memory); }
  void barrier() override { inner_.barrier(); }
  void host_reduce(std::span<double> values, Reduction reduction) override { inner_.host_reduce(values, reduction); }
  void host_reduce(std::span<std::int64_t> values, Reduction reduction) override {
    inner_.host_reduce(values, reduction);
  }
  void host_sum(std::span<std::uint64_t> values) override { inner_.host_sum(values); }
  void host_broadcast(std::string& bytes, int root) override { inner_.host_broadcast(bytes, root); }
  std::vector<std::string> host_gather(const std::string& bytes) override { return inner_.host_gather(bytes); }
  std::int64_t next_ticket() override { return inner_.next_ticket(); }
  void reset_tickets() override { inner_.reset_tickets(); }

 private:
  struct Call {
    std::size_t begin, end;
  };
  template <class Collective>
  void timed(Stream& stream, const Collective& collective);

  Group& inner_;
  StreamClock& clock_;
  bool on_ = false;
  std::vector<Call> calls_;
};

}  // namespace trireme
