// SPDX-License-Identifier: Apache-2.0
// Slices seen from the host, piece by piece.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/base/status_board.h"
#include "core/train/checkpoint_bytes.h"

namespace trireme {

/// The slice's array of this kind: masters, first or second moments.
inline const Tensor& array_of(const NamedSlice& slice, std::size_t kind) {
  return kind == 0 ? slice.master : kind == 1 ? slice.first : slice.second;
}

/// Calls work(elements, begin, count) for consecutive pieces of the array, each copied to the host first.
template <class Work>
void for_each_staged(const NamedSlice& slice, std::size_t kind, SliceMover& mover, const Work& work) {
  const Tensor& array = array_of(slice, kind);
  const std::int64_t step = static_cast<std::int64_t>(mover.staging.bytes() / sizeof(float));
  for (std::int64_t begin = 0; begin < array.elements(); begin += step) {
    const std::int64_t count = std::min(step, array.elements() - begin);
    const float* from = static_cast<const float*>(array.data) + begin;
    mover.device.copy(mover.stream, mover.staging.data(), from, static_cast<std::size_t>(count) * sizeof(float));
    mover.stream.synchronize();
    work(static_cast<const float*>(mover.staging.data()), begin, count);
    process_status().tick();
  }
}

/// Adds `count` elements of the box, from its element `begin` on, to the digest of a tensor of this shape.
void add_box_part(TensorDigest& digest, const Box& box, const Shape& shape, const float* elements, std::int64_t begin,
                  std::int64_t count);

}  // namespace trireme
