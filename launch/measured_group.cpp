// SPDX-License-Identifier: Apache-2.0
#include "launch/measured_group.h"

namespace trireme {

double MeasuredGroup::take() {
  double seconds = 0.0;
  for (const Call& call : calls_) seconds += clock_.seconds(call.begin, call.end);
  calls_.clear();
  return seconds;
}

template <class Collective>
void MeasuredGroup::timed(Stream& stream, const Collective& collective) {
  if (!on_) {
    collective();
    return;
  }
  const std::size_t begin = clock_.mark(stream);
  collective();
  calls_.push_back({begin, clock_.mark(stream)});
}

void MeasuredGroup::all_reduce(Stream& stream, const Tensor& t, Reduction reduction) {
  timed(stream, [&] { inner_.all_reduce(stream, t, reduction); });
}
void MeasuredGroup::all_gather(Stream& stream, const Tensor& out, const Tensor& in) {
  timed(stream, [&] { inner_.all_gather(stream, out, in); });
}
void MeasuredGroup::reduce_scatter(Stream& stream, const Tensor& out, const Tensor& in) {
  timed(stream, [&] { inner_.reduce_scatter(stream, out, in); });
}
void MeasuredGroup::broadcast(Stream& stream, const Tensor& t, int root) {
  timed(stream, [&] { inner_.broadcast(stream, t, root); });
}

}  // namespace trireme
