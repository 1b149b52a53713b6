// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/shards/inspect.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>

#include "core/base/error.h"
#include "core/io/json.h"
#include "data_pipeline/shards/manifest.h"

namespace trireme {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kShownDocuments = 5;

/// Flattens an object of plain values and of objects and lists of them into lines.
void add_facts(const Json& value, const std::string& key, std::vector<std::pair<std::string, std::string>>& facts) {
  if (value.is_object()) {
    for (const auto& item : value.items()) {
      add_facts(item.value(), key.empty() ? item.key() : key + "." + item.key(), facts);
    }
  } else if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i) add_facts(value[i], fmt::format("{}[{}]", key, i), facts);
  } else {
    facts.emplace_back(key, value.is_string() ? value.get<std::string>() : value.dump());
  }
}

DataDescription describe(const Json& json) {
  DataDescription description;
  add_facts(json, "", description.facts);
  description.json = json.dump();
  return description;
}

}  // namespace

DataDescription describe_shard(const std::string& path, bool verify) {
  Shard shard(path);
  if (verify) shard.verify();
  const std::vector<std::string> sources = shard.sources();
  Json first = Json::array();
  std::uint64_t begin = 0;
  for (std::uint64_t d = 0; d < std::min(kShownDocuments, shard.documents()); ++d) {
    const DocumentAddress address = shard.address(d);
    check(address.source < sources.size(), "{}: document {} is from source {} of {}", path, d, address.source,
          sources.size());
    const std::uint64_t end = shard.document_end(d);
    first.push_back({{"tokens", end - begin},
                     {"source", sources[address.source]},
                     {"record", address.record},
                     {"offset", address.offset},
                     {"text_hash", hex(shard.text_hash(d))}});
    begin = end;
  }
  const ShardHeader& header = shard.header();
  return describe({{"format", "trireme.shard"},
                   {"version", kShardVersion},
                   {"bytes", shard.file_bytes()},
                   {"tokens", shard.tokens()},
                   {"documents", shard.documents()},
                   {"dtype", name(header.dtype())},
                   {"vocabulary", header.vocabulary},
                   {"tokenizer", header.tokenizer},
                   {"bos", header.bos},
                   {"eos", header.eos},
                   {"sources", sources},
                   {"verified", verify},
                   {"first_documents", first}});
}

DataDescription describe_corpus(const std::string& path, bool verify) {
  const std::string file = manifest_path(path);
  const CorpusManifest manifest = read_manifest(file);
  const std::filesystem::path folder = std::filesystem::path(file).parent_path();
  std::uint64_t bytes = 0;
  for (const ShardEntry& entry : manifest.shards) {
    Shard shard = open_shard(folder.string(), manifest, entry);
    bytes += entry.bytes;
    if (!verify) continue;
    shard.verify();
    const Hash128 found = describe_file(shard.path()).hash;
    check(found == entry.hash, "{}: hash {} expected by corpus.json, {} found", shard.path(), hex(entry.hash),
          hex(found));
  }
  const DocumentCounts counts = manifest.counts();
  Json sources = Json::array();
  for (const CorpusSource& source : manifest.sources) {
    sources.push_back({{"name", source.name},
                       {"kind", source.kind},
                       {"files", source.files.size()},
                       {"read", source.counts.read},
                       {"kept", source.counts.kept},
                       {"rejected", source.counts.rejected},
                       {"failed", source.counts.failed},
                       {"tokens", source.tokens}});
  }
  return describe({{"format", "trireme.corpus"},
                   {"version", kCorpusVersion},
                   {"shards", manifest.shards.size()},
                   {"bytes", bytes},
                   {"tokens", manifest.tokens()},
                   {"vocabulary", manifest.header.vocabulary},
                   {"tokenizer", manifest.header.tokenizer},
                   {"bos", manifest.header.bos},
                   {"eos", manifest.header.eos},
                   {"read", counts.read},
                   {"kept", counts.kept},
                   {"rejected", counts.rejected},
                   {"failed", counts.failed},
                   {"sources", sources},
                   {"identity", hex(manifest.identity())},
                   {"verified", verify}});
}

}  // namespace trireme
