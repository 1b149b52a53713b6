// SPDX-License-Identifier: Apache-2.0
// Exact duplicates over all ranks: of documents with the same text the first one stays, whoever read it.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "core/base/group.h"
#include "core/io/checksum.h"

namespace trireme {

/// Bytes that the ranks exchange in one round of find_duplicates: bounds its memory.
inline constexpr std::uint64_t kDedupRoundBytes = std::uint64_t{64} << 20U;

/// For each document of each unit, whether an earlier document (in the order of units, then of documents) has the same
/// hash. Every rank calls it and gets the same answer; `hashes_of(unit)` is called on one rank for each of 0 .. units
/// - 1. Texts are compared by 128 bits of XXH3, which nobody is expected to have forged. Each rank holds its share of
/// hashes (32 bytes a document), one round's exchange, and a bit for each document.
std::vector<std::vector<bool>> find_duplicates(Group& world, std::uint64_t units,
                                               const std::function<std::vector<Hash128>(std::uint64_t)>& hashes_of,
                                               std::uint64_t round_bytes = kDedupRoundBytes);

}  // namespace trireme
