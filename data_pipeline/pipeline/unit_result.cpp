// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/pipeline/unit_result.h"

#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/io/json.h"
#include "data_pipeline/filter/quality.h"

namespace trireme {
namespace {

using Json = nlohmann::json;

ReaderOptions reader_options(const DataConfig& config, const PlannedFile& file, const PlannedUnit& unit) {
  const SourceConfig& source = config.sources[file.source];
  ReaderOptions options;
  options.file = file.path;
  options.kind = file.kind;
  options.begin = unit.range.begin;
  options.end = unit.range.end;
  options.max_record_bytes = static_cast<std::uint64_t>(config.max_record_bytes);
  options.json_text_field = source.field;
  options.blank_lines_separate = source.blank_lines_separate;
  return options;
}

/// Appends a document's tokens, BOS and EOS as the header says.
void append_document(const Document& document, const Tokenizer& tokenizer, std::vector<std::uint32_t>& ids,
                     ShardContent& content) {
  ids.clear();
  tokenizer.encode(document.text, ids);
  const ShardHeader& header = content.header;
  if (header.bos >= 0) content.tokens.push_back(static_cast<std::int32_t>(header.bos));
  for (const std::uint32_t id : ids) content.tokens.push_back(static_cast<std::int32_t>(id));
  if (header.eos >= 0) content.tokens.push_back(static_cast<std::int32_t>(header.eos));
  content.ends.push_back(content.tokens.size());
  content.addresses.push_back({.source = 0, .record = document.record, .offset = document.offset});
  content.hashes.push_back(xxh3_128(document.text));
}

void take_reader_counts(const ReadCounts& counts, UnitResult& result) {
  result.counts.read = counts.records;
  for (const auto& [reason, count] : counts.skipped) result.counts.rejected["source: " + reason] += count;
  for (const auto& [reason, count] : counts.failed) result.counts.failed[reason] += count;
  for (const auto& [remark, count] : counts.noted) result.notes[remark] += count;
  for (const auto& [name, count] : counts.dropped_templates) result.notes["template dropped: " + name] += count;
  result.examples = counts.examples;
}

}  // namespace

UnitResult process_unit(const DataConfig& config, const WorkPlan& plan, const PlannedUnit& unit,
                        const ShardHeader& header, const Tokenizer& tokenizer, const UnitStage& stage) {
  const PlannedFile& file = plan.files[unit.file];
  ShardContent content;
  content.header = header;
  content.sources = {file.path};
  UnitResult result;
  const std::unique_ptr<DocumentReader> reader = open_reader(reader_options(config, file, unit));
  std::vector<std::uint32_t> ids;
  Document document;
  while (reader->next(document)) {
    const std::string_view rule = broken_rule(measure_text(document.text), config.filter);
    if (!rule.empty()) {
      ++result.counts.rejected["filter: " + std::string(rule)];
      continue;
    }
    append_document(document, tokenizer, ids, content);
    if (content.ends.back() == (content.ends.size() > 1 ? content.ends[content.ends.size() - 2] : 0)) {
      // No tokens at all: an empty text where the settings allow it, without BOS and EOS.
      content.ends.pop_back();
      content.addresses.pop_back();
      content.hashes.pop_back();
      ++result.counts.rejected["filter: no tokens"];
    }
  }
  take_reader_counts(reader->counts(), result);
  result.counts.kept = content.ends.size();
  result.counts.check_adds_up(fmt::format("{}, bytes {} to {}", file.path, unit.range.begin, unit.range.end));
  if (result.counts.kept > 0) result.shard = write_shard(stage.shard_path(unit.key), content);
  stage.keep(unit.key, result);
  return result;
}

void UnitStage::keep(const std::string& key, const UnitResult& result) const {
  Json json = {{"read", result.counts.read},         {"kept", result.counts.kept},
               {"rejected", result.counts.rejected}, {"failed", result.counts.failed},
               {"notes", result.notes},              {"examples", result.examples}};
  if (result.shard) {
    json["shard"] = {{"bytes", result.shard->bytes},
                     {"tokens", result.shard->tokens},
                     {"documents", result.shard->documents},
                     {"xxh3_128", hex(result.shard->hash)}};
  }
  write_file_atomic(record_path(key), to_text(json));
}

std::optional<UnitResult> UnitStage::find(const std::string& key) const {
  const std::string path = record_path(key);
  if (!std::filesystem::exists(path)) return std::nullopt;
  try {
    const Json json = read_json(path);
    UnitResult result;
    result.counts.read = json_size(json, "read", path);
    result.counts.kept = json_size(json, "kept", path);
    json_object(json, "rejected", path).get_to(result.counts.rejected);
    json_object(json, "failed", path).get_to(result.counts.failed);
    json_object(json, "notes", path).get_to(result.notes);
    json_array(json, "examples", path).get_to(result.examples);
    if (json.contains("shard")) {
      const Json& shard = json_object(json, "shard", path);
      result.shard = ShardEntry{.file = key + ".h5",
                                .bytes = json_size(shard, "bytes", path),
                                .tokens = json_size(shard, "tokens", path),
                                .documents = json_size(shard, "documents", path),
                                .hash = hash128_from_hex(json_text(shard, "xxh3_128", path), path)};
      if (describe_file(shard_path(key)) != *result.shard) return std::nullopt;
    }
    result.counts.check_adds_up(path);
    return result;
  } catch (const std::exception&) {
    return std::nullopt;  // half of a unit is no unit: it is done again
  }
}

}  // namespace trireme
