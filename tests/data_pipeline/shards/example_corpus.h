// SPDX-License-Identifier: Apache-2.0
// Shards and corpora with known tokens, for tests of everything that reads them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data_pipeline/shards/manifest.h"

namespace trireme::testing {

/// Documents of 1 to `longest` tokens, the last token of each being eos = vocabulary - 1 and the others a function of
/// (seed, position) below it; `documents` of them.
ShardContent example_shard(std::uint64_t seed, std::uint64_t documents, std::uint64_t vocabulary = 1000,
                           std::uint64_t longest = 50);

/// Writes these shards and their manifest to `folder` (created). Returns the stream of tokens.
std::vector<std::int32_t> write_corpus(const std::string& folder, const std::vector<ShardContent>& shards);

/// XORs one byte of a file.
void flip_byte(const std::string& path, std::uint64_t offset);

}  // namespace trireme::testing
