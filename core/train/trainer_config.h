// SPDX-License-Identifier: Apache-2.0
// What a training run is told about its steps. Plain data: the field lists of the configuration walk it.
#pragma once

#include <cstdint>

#include "core/base/types.h"

namespace trireme {

/// Which activations are kept for backward: all of them, or only the residual stream between blocks.
enum class Recompute { none, light, full };

/// Config `train.skip.*`. An update is skipped, on all ranks alike, when its loss or its gradient norm (before
/// clipping) is not finite, or larger than a factor times its running mean.
struct SkipConfig {
  std::int64_t budget = 20;   // updates that a run may skip: one more ends it
  double loss_factor = 2.0;   // 0: not judged by a mean
  double norm_factor = 10.0;  // 0: not judged by a mean
  std::int64_t window = 100;  // updates that the means look back on; before as many, nothing is judged by them
};

struct TrainerConfig {
  std::int64_t steps = 1000;              // train.steps: updates in the whole run
  std::int64_t sequence = 1024;           // train.sequence: T, tokens per sample
  std::int64_t global_batch = 8;          // train.global_batch: samples per update, over all ranks
  std::int64_t micro_batch = 1;           // train.micro_batch: B, samples per forward pass of one rank
  std::uint64_t seed = 1;                 // train.seed: initial parameters (and, by the data's own purpose, the order)
  std::int64_t head_rows = 0;             // train.head_rows: rows whose logits exist at a time; 0: as suits the device
  Dtype precision = Dtype::f32;           // precision: compute dtype, fp32 or bf16; masters and moments are fp32
  Recompute recompute = Recompute::none;  // recompute
  SkipConfig skip = {};                   // train.skip
  bool document_mask = false;             // data.document_mask: attention stays within a document
};

}  // namespace trireme
