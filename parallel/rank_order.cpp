// SPDX-License-Identifier: Apache-2.0
#include "parallel/rank_order.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "core/base/error.h"

namespace trireme {
namespace {

constexpr std::int64_t kBlock = 1024;  // elements summed at once: the sums stay in the first cache

float combine(float a, float b, Reduction reduction) {
  if (reduction == Reduction::sum) return a + b;
  return a != a || b <= a ? a : b;  // a NaN stays visible
}

std::int32_t combine(std::int32_t a, std::int32_t b, Reduction reduction) {
  if (reduction == Reduction::max) return std::max(a, b);
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b));
}

/// T is how elements are stored, S how they are added up.
template <class T, class S>
void reduce(Reduction reduction, void* out, std::span<const void* const> parts, std::int64_t elements) {
  std::array<S, kBlock> sums;  // NOLINT: written before it is read
  for (std::int64_t begin = 0; begin < elements; begin += kBlock) {
    const auto count = static_cast<std::size_t>(std::min(kBlock, elements - begin));
    for (std::size_t r = 0; r < parts.size(); ++r) {
      const T* part = static_cast<const T*>(parts[r]) + begin;
      if (r == 0) {
        for (std::size_t i = 0; i < count; ++i) sums[i] = static_cast<S>(part[i]);
      } else {
        for (std::size_t i = 0; i < count; ++i) sums[i] = combine(sums[i], static_cast<S>(part[i]), reduction);
      }
    }
    T* to = static_cast<T*>(out) + begin;
    for (std::size_t i = 0; i < count; ++i) to[i] = static_cast<T>(sums[i]);
  }
}

}  // namespace

void reduce_in_rank_order(Dtype dtype, Reduction reduction, void* out, std::span<const void* const> parts,
                          std::int64_t elements) {
  switch (dtype) {
    case Dtype::f32:
      return reduce<float, float>(reduction, out, parts, elements);
    case Dtype::bf16:
      return reduce<Bf16, float>(reduction, out, parts, elements);
    case Dtype::i32:
      return reduce<std::int32_t, std::int32_t>(reduction, out, parts, elements);
    default:
      fail("a tensor of {} cannot be reduced over ranks: fp32, bf16 or i32 can", name(dtype));
  }
}

}  // namespace trireme
