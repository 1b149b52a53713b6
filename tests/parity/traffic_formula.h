// SPDX-License-Identifier: Apache-2.0
// What a training step sends and what a parameter store takes, computed from the architecture and the mesh alone: the
// formula of docs/parallelism.md, written down without a line of the code that it is held against.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <ostream>
#include <string>
#include <utility>

#include "core/base/mesh.h"
#include "core/base/status_board.h"
#include "core/model/architecture.h"
#include "core/train/trainer_config.h"

namespace trireme {

/// Collectives of one rank in one step.
struct Sent {
  std::int64_t messages = 0;
  std::int64_t bytes = 0;  // payload: the whole tensor of the collective's meaning
  bool operator==(const Sent&) const = default;
};
/// By axis ("replica", "shard", "tensor", "copies", "data") and collective; without those that are not called.
using StepTraffic = std::map<std::pair<std::string, CollectiveKind>, Sent>;
std::ostream& operator<<(std::ostream& out, const Sent& sent);

/// What the formula is a function of.
struct TrafficCase {
  Architecture architecture;
  MeshShape mesh;
  TrainerConfig train;
  ZeroStage stage = ZeroStage::parameters;
  ReduceEvery reduce = ReduceEvery::micro_step;
  Dtype reduce_dtype = Dtype::f32;
};

/// One training step, not the first after an evaluation, of the rank at `place`.
StepTraffic step_traffic(const TrafficCase& c, const MeshPlace& place);
/// Bytes of a parameter store by purpose, the same on every rank.
std::map<std::string, std::size_t> store_bytes(const TrafficCase& c);

}  // namespace trireme
