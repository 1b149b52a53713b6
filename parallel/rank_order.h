// SPDX-License-Identifier: Apache-2.0
// The one arithmetic of every host collective: element by element, in the order of ranks, so that the bits depend
// neither on who computes them nor on how the tensor was cut up for the way.
#pragma once

#include <cstdint>
#include <span>

#include "core/base/group.h"

namespace trireme {

/// out[i] = parts[0][i] (+ or max) parts[1][i] ...; f32, i32 (wrapping), or bf16 (in fp32, rounded once). `out` may be
/// one of the parts. Throws Error for another dtype.
void reduce_in_rank_order(Dtype dtype, Reduction reduction, void* out, std::span<const void* const> parts,
                          std::int64_t elements);

/// Where rank r's part of `elements` begins when they are dealt out evenly in contiguous parts; part_begin(n, size,
/// size) is n.
inline std::int64_t part_begin(std::int64_t elements, std::int64_t r, std::int64_t size) {
  return elements / size * r + elements % size * r / size;
}

}  // namespace trireme
