// SPDX-License-Identifier: Apache-2.0
#include "kernels/dry/stream.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace trireme::dry {

// Spans that touch or overlap become one. Streams are told of nearly in order: few are behind the place.
void Collectives::add(double begin, double end) {
  if (loss_ == 0.0 || end <= begin) return;
  auto first = spans_.end();
  while (first != spans_.begin() && std::prev(first)->end >= begin) --first;
  auto last = first;
  for (; last != spans_.end() && last->begin <= end; ++last) {
    begin = std::min(begin, last->begin);
    end = std::max(end, last->end);
  }
  spans_.insert(spans_.erase(first, last), {begin, end});
}

double Collectives::stretched(double begin, double seconds) const {
  double now = begin;
  double left = seconds;  // of the operation alone
  auto span = spans_.end();
  while (span != spans_.begin() && std::prev(span)->end > begin) --span;
  for (; span != spans_.end() && left > 0.0; ++span) {
    const double free = std::max(0.0, span->begin - now);
    if (free >= left) break;
    left -= free;
    now = std::max(now, span->begin);
    const double beside = std::min(left / (1.0 - loss_), span->end - now);
    left -= beside * (1.0 - loss_);
    now += beside;
  }
  return now + left - begin;
}

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
  collectives_->add(times_->now_seconds, times_->now_seconds + seconds);
  times_->now_seconds += seconds;
  times_->communication_seconds += seconds;
}

std::size_t DryStream::grow_scratch(std::size_t bytes) {
  const std::size_t before = scratch_.bytes();
  if (bytes <= before) return 0;
  scratch_ = Buffer();
  scratch_ = device_.allocate(bytes);
  return bytes - before;
}

void DryStream::operate(double seconds) {
  times_->now_seconds += seconds;
  times_->operation_seconds += seconds;
}

}  // namespace trireme::dry
