// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/shards/manifest.h"

#include <nlohmann/json.hpp>

#include <filesystem>

#include "core/base/error.h"
#include "core/io/json.h"

namespace trireme {
namespace {

using Json = nlohmann::json;
using Counts = std::map<std::string, std::uint64_t>;

Json counts_to_json(const DocumentCounts& counts) {
  return {{"read", counts.read}, {"kept", counts.kept}, {"rejected", counts.rejected}, {"failed", counts.failed}};
}

Counts reasons_from_json(const Json& object, const std::string& where) {
  Counts counts;
  for (const auto& item : object.items()) counts[item.key()] = json_size(object, item.key(), where);
  return counts;
}

DocumentCounts counts_from_json(const Json& object, const std::string& where) {
  check_json_keys(object, {"read", "kept", "rejected", "failed"}, where);
  return {.read = json_size(object, "read", where),
          .kept = json_size(object, "kept", where),
          .rejected = reasons_from_json(json_object(object, "rejected", where), where),
          .failed = reasons_from_json(json_object(object, "failed", where), where)};
}

void check_sums(const CorpusManifest& manifest, const std::string& where) {
  const DocumentCounts counts = manifest.counts();
  for (const CorpusSource& source : manifest.sources) source.counts.check_adds_up(where + ", source " + source.name);
  counts.check_adds_up(where);
  check(manifest.documents() == counts.kept, "{}: {} documents kept, {} in the shards", where, counts.kept,
        manifest.documents());
  std::uint64_t tokens = 0;
  for (const CorpusSource& source : manifest.sources) tokens += source.tokens;
  check(manifest.tokens() == tokens, "{}: {} tokens from the sources, {} in the shards", where, tokens,
        manifest.tokens());
}

Json header_to_json(const ShardHeader& header) {
  return {{"hash", header.tokenizer}, {"vocabulary", header.vocabulary}, {"bos", header.bos}, {"eos", header.eos}};
}

ShardHeader header_from_json(const Json& object, const std::string& where) {
  check_json_keys(object, {"hash", "vocabulary", "bos", "eos"}, where);
  return {.tokenizer = json_text(object, "hash", where),
          .vocabulary = json_size(object, "vocabulary", where),
          .bos = json_int(object, "bos", where),
          .eos = json_int(object, "eos", where)};
}

Json source_to_json(const CorpusSource& source) {
  Json files = Json::array();
  for (const CorpusFile& file : source.files) files.push_back({{"path", file.path}, {"bytes", file.bytes}});
  return {{"name", source.name},   {"kind", source.kind},
          {"files", files},        {"documents", counts_to_json(source.counts)},
          {"notes", source.notes}, {"tokens", source.tokens}};
}

CorpusSource source_from_json(const Json& object, const std::string& where) {
  check_json_keys(object, {"name", "kind", "files", "documents", "notes", "tokens"}, where);
  CorpusSource source{.name = json_text(object, "name", where),
                      .kind = json_text(object, "kind", where),
                      .files = {},
                      .counts = counts_from_json(json_object(object, "documents", where), where),
                      .notes = reasons_from_json(json_object(object, "notes", where), where),
                      .tokens = json_size(object, "tokens", where)};
  for (const Json& file : json_array(object, "files", where)) {
    source.files.push_back({.path = json_text(file, "path", where), .bytes = json_size(file, "bytes", where)});
  }
  return source;
}

ShardEntry shard_from_json(const Json& object, const std::string& where) {
  check_json_keys(object, {"file", "bytes", "tokens", "documents", "xxh3_128"}, where);
  ShardEntry entry{.file = json_text(object, "file", where),
                   .bytes = json_size(object, "bytes", where),
                   .tokens = json_size(object, "tokens", where),
                   .documents = json_size(object, "documents", where),
                   .hash = hash128_from_hex(json_text(object, "xxh3_128", where), where)};
  check(!entry.file.empty() && entry.file.front() != '.' && entry.file.find('/') == std::string::npos,
        "{}: '{}' is no name of a shard in this folder", where, entry.file);
  return entry;
}

}  // namespace

DocumentCounts CorpusManifest::counts() const {
  DocumentCounts counts;
  for (const CorpusSource& source : sources) counts.merge(source.counts);
  return counts;
}

std::uint64_t CorpusManifest::tokens() const {
  std::uint64_t sum = 0;
  for (const ShardEntry& shard : shards) sum += shard.tokens;
  return sum;
}

std::uint64_t CorpusManifest::documents() const {
  std::uint64_t sum = 0;
  for (const ShardEntry& shard : shards) sum += shard.documents;
  return sum;
}

Hash128 CorpusManifest::identity() const {
  Xxh3Stream stream;
  for (const ShardEntry& shard : shards) stream.update(hex(shard.hash));
  return stream.digest();
}

void write_manifest(const std::string& path, const CorpusManifest& manifest) {
  check_sums(manifest, path);
  Json shards = Json::array();
  for (const ShardEntry& shard : manifest.shards) {
    shards.push_back({{"file", shard.file},
                      {"bytes", shard.bytes},
                      {"tokens", shard.tokens},
                      {"documents", shard.documents},
                      {"xxh3_128", hex(shard.hash)}});
  }
  Json sources = Json::array();
  for (const CorpusSource& source : manifest.sources) sources.push_back(source_to_json(source));
  const Json json = {{"format", "trireme.corpus"},
                     {"version", kCorpusVersion},
                     {"tokenizer", header_to_json(manifest.header)},
                     {"settings", parse_json(manifest.settings, "the settings of " + path)},
                     {"key", manifest.key},
                     {"documents", counts_to_json(manifest.counts())},
                     {"tokens", manifest.tokens()},
                     {"sources", sources},
                     {"shards", shards}};
  write_file_atomic(path, to_text(json));
}

CorpusManifest read_manifest(const std::string& path) {
  const Json json = read_json(path);
  check(json.is_object() && json.contains("format") && json_text(json, "format", path) == "trireme.corpus",
        "{} is no manifest of a corpus", path);
  const std::int64_t version = json_int(json, "version", path);
  check(version == kCorpusVersion, "{}: corpus format version {}; this program reads version {}", path, version,
        kCorpusVersion);
  check_json_keys(
      json, {"format", "version", "tokenizer", "settings", "key", "documents", "tokens", "sources", "shards"}, path);
  CorpusManifest manifest;
  manifest.header = header_from_json(json_object(json, "tokenizer", path), path);
  manifest.settings = json_object(json, "settings", path).dump();
  manifest.key = json_text(json, "key", path);
  for (const Json& source : json_array(json, "sources", path)) {
    manifest.sources.push_back(source_from_json(source, path));
  }
  for (const Json& shard : json_array(json, "shards", path)) manifest.shards.push_back(shard_from_json(shard, path));
  check_sums(manifest, path);
  check(counts_from_json(json_object(json, "documents", path), path) == manifest.counts() &&
            json_size(json, "tokens", path) == manifest.tokens(),
        "{}: the sums are not those of the sources and shards", path);
  return manifest;
}

std::string manifest_path(const std::string& corpus) {
  return std::filesystem::is_directory(corpus) ? (std::filesystem::path(corpus) / "corpus.json").string() : corpus;
}

Shard open_shard(const std::string& folder, const CorpusManifest& manifest, const ShardEntry& entry) {
  const std::string path = (std::filesystem::path(folder) / entry.file).string();
  const std::uint64_t bytes = FileDescriptor::open_read(path).size();
  check(bytes == entry.bytes, "{} has {} bytes, corpus.json says {}: truncated or from another run", path, bytes,
        entry.bytes);
  Shard shard(path);
  check(shard.tokens() == entry.tokens && shard.documents() == entry.documents,
        "{} has {} tokens in {} documents, corpus.json says {} in {}", path, shard.tokens(), shard.documents(),
        entry.tokens, entry.documents);
  check(shard.header() == manifest.header, "{}: made with tokenizer {}, corpus.json says {} (or BOS and EOS differ)",
        path, shard.header().tokenizer, manifest.header.tokenizer);
  return shard;
}

}  // namespace trireme
