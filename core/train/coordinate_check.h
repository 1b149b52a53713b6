// SPDX-License-Identifier: Apache-2.0
// How far a few updates move activations (Yang et al. 2022, appendix D.1): with the maximal update parametrization as
// far at every width, with the standard one farther the wider the model is.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/batch.h"
#include "core/base/group.h"
#include "core/base/ops.h"
#include "core/base/params.h"
#include "core/model/architecture.h"
#include "core/train/trainer_config.h"

namespace trireme {

/// What a coordinate check trains with: AdamW at a constant rate without decay and clipping.
struct CoordinateCheck {
  std::int64_t steps = 4;  // updates
  std::int64_t batch = 4;  // B: samples of an update; the same samples in every update
  std::int64_t sequence = 64;
  double lr = 1e-2;
  std::uint64_t seed = 1;
  Dtype precision = Dtype::f32;
};

/// Mean absolute values of one activation: `value[t]` after t updates, `change[t]` of the difference from before the
/// first one. steps + 1 of each.
struct Coordinate {
  std::string name;  // "embedding", "block 1", ..., "logits"
  std::vector<double> value, change;
};

/// Trains the model from its initial parameters on this rank alone. `store` is one of replicas of model(architecture)'s
/// parameters; the source has batch rows of sequence tokens.
std::vector<Coordinate> check_coordinates(const Architecture& architecture, const CoordinateCheck& check,
                                          Device& device, const Ops& ops, Stream& stream, const ParamTable& table,
                                          ParamStore& store, Group& self, BatchSource& source);

/// The slope of log(values) over log(widths), by least squares: the power of the width that the values grow with.
double growth_exponent(const std::vector<double>& widths, const std::vector<double>& values);

}  // namespace trireme
