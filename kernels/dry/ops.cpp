// SPDX-License-Identifier: Apache-2.0
#include "kernels/dry/ops.h"

#include "core/base/error.h"
#include "kernels/kernels.h"

namespace trireme {
namespace dry {

void DryOps::count(Stream& stream, const Work& work) const {
  const auto& reached = device_.machine().reached;
  double fraction = 1.0;
  if (work.kind == Work::Kind::product) fraction = reached.product;
  if (work.kind == Work::Kind::attention) fraction = reached.attention;
  if (work.kind == Work::Kind::attention_backward) fraction = reached.attention_backward;
  device_.operate(stream, work.name, work.flops, work.bytes, work.flops / (device_.peak_flops(work.dtype) * fraction),
                  work.kind != Work::Kind::elementwise);
}

}  // namespace dry

std::unique_ptr<Ops> make_dry_ops(Device& device) {
  auto* dry_device = dynamic_cast<DryDevice*>(&device);
  check(dry_device != nullptr, "dry operations need a dry device, got '{}'", device.description());
  return std::make_unique<dry::DryOps>(*dry_device);
}

}  // namespace trireme
