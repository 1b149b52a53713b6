// SPDX-License-Identifier: Apache-2.0
// Streams and events of the dry device: a clock in modelled seconds each, so that overlap between streams is what the
// program's own events allow.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <string>

#include "core/base/device.h"
#include "kernels/dry/counts.h"

namespace trireme::dry {

class DryEvent : public Event {
 public:
  /// The host takes no modelled time: it never waits.
  void synchronize() override {}

  double seconds = 0.0;  // the recorded point on the recording stream's clock
};

class DryStream : public Stream {
 public:
  /// `times` is shared with the device, which reports it.
  explicit DryStream(std::shared_ptr<StreamTimes> times) : times_(std::move(times)) {}

  void record(Event& event) override;
  void wait(Event& event) override;
  /// Runs at once, in no modelled time. After work has thrown, other work is skipped until synchronize().
  void call(std::function<void()> work) override;
  void synchronize() override;
  /// A collective's time.
  void pass_time(double seconds) override;

  /// An operation's time.
  void operate(double seconds);

 private:
  std::shared_ptr<StreamTimes> times_;
  std::exception_ptr error_;
};

}  // namespace trireme::dry
