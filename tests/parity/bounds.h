// SPDX-License-Identifier: Apache-2.0
// How far two computations of the same model may be apart, from the dtype and the lengths alone.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/base/types.h"
#include "core/model/architecture.h"

namespace trireme {

/// What rounding adds to a tensor, relative to it in norm: half of a unit for bf16, whose errors are spread evenly up
/// to 2^-8 of numbers between 1 and 2; a whole one for fp32.
inline double roundoff(Dtype dtype) { return dtype == Dtype::bf16 ? 0x1.0p-9 : 0x1.0p-24; }

/// Tensors that are rounded and stored, one after another, on the longest path through forward or backward: nine per
/// block (norm, qkv, rotation, attention, out, norm, up, activation, down), the embedding, the last norm, the logits.
inline double path_length(const Architecture& a) { return 9.0 * static_cast<double>(a.layers) + 3.0; }

/// Relative error, in norm, of a tensor behind `passes` passes of that path (1 for logits, 2 for gradients). Each
/// stored tensor adds one roundoff of its dtype and, in products that add up to `rows` or F terms in fp32, a random
/// walk of fp32 roundoffs; errors that come in pass through with a gain of about 1.
inline double relative_bound(const Architecture& a, Dtype dtype, std::int64_t rows, int passes) {
  const double terms = std::sqrt(static_cast<double>(a.feed_forward > rows ? a.feed_forward : rows));
  return passes * path_length(a) * (roundoff(dtype) + terms * roundoff(Dtype::f32));
}

/// The same where roundings are independent of one another, so that their squares add up, of two computations: each
/// rounds `path` tensors in each of `passes` passes.
inline double walk_bound(double path, Dtype dtype, std::int64_t terms, int passes) {
  return std::sqrt(2.0 * passes * path) *
         (roundoff(dtype) + std::sqrt(static_cast<double>(terms)) * roundoff(Dtype::f32));
}

}  // namespace trireme
