// SPDX-License-Identifier: Apache-2.0
// Streams and events of the dry device: a clock in modelled seconds each, so that overlap between streams is what the
// program's own events allow.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/device.h"
#include "kernels/dry/counts.h"

namespace trireme::dry {

class DryEvent : public Event {
 public:
  /// The host takes no modelled time: it never waits.
  void synchronize() override {}

  double seconds = 0.0;  // the recorded point on the recording stream's clock
};

/// When collectives run on any stream of a device, and what that costs the operations beside them.
class Collectives {
 public:
  /// Operations lose `loss` of each second beside a collective: at most 1, exclusive.
  explicit Collectives(double loss) : loss_(loss) {}

  /// One runs in [begin, end) on some stream's clock. Those of a stream are told in order.
  void add(double begin, double end);
  /// How long an operation takes that begins now and would take so many seconds alone.
  double stretched(double begin, double seconds) const;

 private:
  struct Span {
    double begin, end;
  };
  const double loss_;
  std::vector<Span> spans_;  // apart, in order
};

class DryStream : public Stream {
 public:
  /// `times` and `collectives` are shared with the device, which reports them and outlives the stream.
  DryStream(Device& device, std::shared_ptr<StreamTimes> times, std::shared_ptr<Collectives> collectives)
      : device_(device), times_(std::move(times)), collectives_(std::move(collectives)) {}

  void record(Event& event) override;
  void wait(Event& event) override;
  /// Runs at once, in no modelled time. After work has thrown, other work is skipped until synchronize().
  void call(std::function<void()> work) override;
  void synchronize() override;
  /// A collective's time.
  void pass_time(double seconds) override;

  double now() const { return times_->now_seconds; }
  /// An operation's time.
  void operate(double seconds);
  /// Holds at least so many bytes of the device's memory; says by how many bytes more than before.
  std::size_t grow_scratch(std::size_t bytes);

 private:
  Device& device_;
  std::shared_ptr<StreamTimes> times_;
  std::shared_ptr<Collectives> collectives_;
  Buffer scratch_;
  std::exception_ptr error_;
};

}  // namespace trireme::dry
