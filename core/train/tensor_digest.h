// SPDX-License-Identifier: Apache-2.0
// A digest of a tensor that does not depend on how it is laid out: sum over elements of mix(index, bits). Every holder
// of a part adds its share; save, storage, another mesh and load must leave the sum as it was.
#pragma once

#include <cstddef>
#include <cstdint>

namespace trireme {

/// Two wrapping sums of 64 bits. A change of one element always changes the first: for a given index the mixing is one
/// to one.
struct TensorDigest {
  std::uint64_t first = 0;
  std::uint64_t second = 0;

  /// Adds `count` fp32 elements, the first of which has this index in the global tensor.
  void add(const float* elements, std::int64_t index, std::size_t count);
  bool operator==(const TensorDigest&) const = default;
};

}  // namespace trireme
