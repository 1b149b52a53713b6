// SPDX-License-Identifier: Apache-2.0
#include "kernels/dry/stream.h"

#include <utility>

namespace trireme::dry {

void DryStream::record(Event& event) { static_cast<DryEvent&>(event).seconds = times_->now_seconds; }

void DryStream::wait(Event& event) {
  const double late = static_cast<DryEvent&>(event).seconds - times_->now_seconds;
  if (late <= 0.0) return;
  times_->now_seconds += late;
  times_->waiting_seconds += late;
}

void DryStream::call(std::function<void()> work) {
  if (error_ != nullptr) return;
  try {
    work();
  } catch (...) {
    error_ = std::current_exception();
  }
}

void DryStream::synchronize() {
  if (const auto error = std::exchange(error_, nullptr)) std::rethrow_exception(error);
}

void DryStream::pass_time(double seconds) {
  times_->now_seconds += seconds;
  times_->communication_seconds += seconds;
}

void DryStream::operate(double seconds) {
  times_->now_seconds += seconds;
  times_->operation_seconds += seconds;
}

}  // namespace trireme::dry
