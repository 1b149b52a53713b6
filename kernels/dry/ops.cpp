// SPDX-License-Identifier: Apache-2.0
#include "kernels/dry/ops.h"

#include "core/base/error.h"
#include "kernels/scratch.h"

namespace trireme {
namespace dry {

void DryOps::run(Stream& stream, const AttentionBackward& op) const {
  device_.take_scratch(stream, attention_scratch(op, deterministic_));
  count(stream, work_of(op));
}

void DryOps::count(Stream& stream, const Work& work) const {
  const auto& reached = device_.machine().reached;
  const auto of_attention = [&](const Machine::Attention& attention) {
    const auto time = static_cast<double>(work.time);
    const auto size = static_cast<double>(work.size);
    return attention.most * time / (time + attention.time) * size / (size + attention.size);
  };
  double fraction = 1.0;
  if (work.kind != Work::Kind::elementwise) device_.take_scratch(stream, kLeastScratch);
  if (work.kind == Work::Kind::product) fraction = reached.product;
  if (work.kind == Work::Kind::attention) fraction = of_attention(reached.attention);
  if (work.kind == Work::Kind::attention_backward) fraction = of_attention(reached.attention_backward);
  device_.operate(stream, work.name, work.flops, work.bytes, work.flops / (device_.peak_flops(work.dtype) * fraction),
                  work.kind != Work::Kind::elementwise);
}

}  // namespace dry

std::unique_ptr<Ops> make_dry_ops(Device& device, Determinism deterministic) {
  auto* dry_device = dynamic_cast<DryDevice*>(&device);
  check(dry_device != nullptr, "dry operations need a dry device, got '{}'", device.description());
  return std::make_unique<dry::DryOps>(*dry_device, deterministic);
}

}  // namespace trireme
