// SPDX-License-Identifier: Apache-2.0
// Where a block's parameters lie in one flat array that a shard axis can cut into equal pieces.
#pragma once

#include <cstdint>
#include <vector>

#include "core/base/params.h"

namespace trireme {

/// A stretch of the flat array whose elements are treated alike.
struct FlatSegment {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  bool decay = false;
  float lr_scale = 1.0F;
  Held held = Held::alone;
  bool first = true;  // this rank is the first of those on the tensor axis that hold it
};

/// The part of a segment that lies within [begin, end), empty (begin == end) where they do not meet.
FlatSegment clip(const FlatSegment& segment, std::int64_t begin, std::int64_t end);

/// One block of parameters, as one rank of the tensor axis holds them. Every parameter starts at a multiple of 64
/// elements (256 bytes in fp32); gaps and padding hold zeros in masters, moments and gradients, and the optimizer keeps
/// them so. The layout is the same on every rank of the tensor axis but for `first` and the pieces' global places.
struct BlockLayout {
  std::int64_t elements = 0;          // a multiple of 64 * pieces
  std::vector<std::int64_t> offsets;  // by parameter
  std::vector<LocalParam> params;     // by parameter
  std::vector<FlatSegment> segments;  // in order, without a gap, over all elements
};

/// Parameters with weight decay first, then the others. `pieces`: ranks of the shard axis.
BlockLayout lay_out(const std::vector<ParamSpec>& block, std::int64_t tensor_rank, std::int64_t tensor_ranks,
                    std::int64_t pieces);

/// The boxes of global tensors in elements [begin, end) of the block's flat array: `at` is each one's first element
/// there; slices have no memory yet. With `owned`, only what this rank is the first of the tensor axis to hold.
struct PlacedSlice {
  NamedSlice slice;
  std::int64_t at = 0;
};
std::vector<PlacedSlice> slices_within(const std::vector<ParamSpec>& block, const BlockLayout& layout,
                                       std::int64_t begin, std::int64_t end, bool owned);

}  // namespace trireme
