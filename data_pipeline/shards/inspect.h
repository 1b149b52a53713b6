// SPDX-License-Identifier: Apache-2.0
// What is in a shard or a corpus, as facts for `trireme inspect`.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace trireme {

/// Ordered facts, e.g. {"documents", "1024"}, and the first documents' addresses.
struct DataDescription {
  std::vector<std::pair<std::string, std::string>> facts;
  std::string json;  // the same as one JSON object
};

/// Describes a shard (.h5). With `verify`, first reads all of it and throws Error naming the block that is damaged.
DataDescription describe_shard(const std::string& path, bool verify);
/// Describes a corpus (folder or corpus.json): counts by reason and shards. With `verify`, first reads every shard and
/// compares it with the manifest.
DataDescription describe_corpus(const std::string& path, bool verify);

}  // namespace trireme
