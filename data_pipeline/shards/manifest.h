// SPDX-License-Identifier: Apache-2.0
// The manifest of a corpus (corpus.json): its shards with their hashes, and where every document went.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "data_pipeline/shards/document_counts.h"
#include "data_pipeline/shards/shard.h"

namespace trireme {

inline constexpr std::int64_t kCorpusVersion = 1;

/// One source file of a corpus as it was read.
struct CorpusFile {
  std::string path;  // as it was given
  std::uint64_t bytes = 0;

  bool operator==(const CorpusFile&) const = default;
};

struct CorpusSource {
  std::string name;
  std::string kind;
  std::vector<CorpusFile> files;
  DocumentCounts counts;
  std::map<std::string, std::uint64_t> notes;  // repairs and what was dropped from kept documents, the most frequent
  std::uint64_t tokens = 0;

  bool operator==(const CorpusSource&) const = default;
};

struct CorpusManifest {
  ShardHeader header;
  std::string settings;  // JSON object: every setting that decides the bytes, for people and for comparison
  std::string key;       // 32 hexadecimal digits over the settings and the identity of the source files
  std::vector<CorpusSource> sources;
  std::vector<ShardEntry> shards;  // in the order of the stream

  /// The sums over the sources.
  DocumentCounts counts() const;
  std::uint64_t tokens() const;
  std::uint64_t documents() const;
  /// A digest of the shards' hashes in order: equal for equal data.
  Hash128 identity() const;
};

/// Replaces `path` in one step. Refuses a manifest whose documents or tokens do not add up.
void write_manifest(const std::string& path, const CorpusManifest& manifest);
/// Reads and checks a manifest: known version, sums, names without folders.
CorpusManifest read_manifest(const std::string& path);
/// The manifest's path for a corpus given by its folder or by the manifest itself.
std::string manifest_path(const std::string& corpus);
/// Opens a shard of the corpus in `folder`; throws Error naming both when it is not as the manifest says.
Shard open_shard(const std::string& folder, const CorpusManifest& manifest, const ShardEntry& entry);

}  // namespace trireme
