// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/pipeline/unit_result.h"

#include <nlohmann/json.hpp>

#include <filesystem>

#include "core/base/error.h"
#include "core/base/stop.h"
#include "core/io/json.h"
#include "data_pipeline/filter/quality.h"

namespace trireme {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kLargestRecord = std::uint64_t{64} << 20U;

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

/// White space at the end and empty lines in front are no part of a document: copies are found whatever surrounds them.
void trim(std::string& text) {
  text.erase(text.find_last_not_of(" \t\n") + 1);
  text.erase(0, text.find_first_not_of('\n'));
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

/// What was read must be what the plan and the unit's key speak of.
void check_unchanged(const PlannedFile& file) {
  PlannedFile now = file;
  identify(now);
  check(now.identity == file.identity, "{} changed while it was read: run the same command again when it is complete",
        file.path);
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
    leave_if_stop_requested();
    trim(document.text);
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
  check_unchanged(file);
  take_reader_counts(reader->counts(), result);
  result.counts.kept = content.ends.size();
  result.counts.check_adds_up(fmt::format("{}, bytes {} to {}", file.path, unit.range.begin, unit.range.end));
  if (result.counts.kept > 0) {
    result.shard = write_shard(stage.shard_path(unit.key), content);
    result.shard->file.clear();  // named when duplicates are out
  }
  stage.keep(unit.key, result);
  return result;
}

std::string result_to_text(const UnitResult& result) {
  Json json = {{"read", result.counts.read},     {"kept", result.counts.kept}, {"rejected", result.counts.rejected},
               {"failed", result.counts.failed}, {"notes", result.notes},      {"examples", result.examples}};
  if (result.shard) {
    json["shard"] = {{"bytes", result.shard->bytes},
                     {"tokens", result.shard->tokens},
                     {"documents", result.shard->documents},
                     {"xxh3_128", hex(result.shard->hash)}};
  }
  return to_text(json);
}

UnitResult result_from_text(std::string_view text, const std::string& where) {
  const Json json = parse_json(text, where);
  UnitResult result;
  try {
    result.counts.read = json_size(json, "read", where);
    result.counts.kept = json_size(json, "kept", where);
    json_object(json, "rejected", where).get_to(result.counts.rejected);
    json_object(json, "failed", where).get_to(result.counts.failed);
    json_object(json, "notes", where).get_to(result.notes);
    json_array(json, "examples", where).get_to(result.examples);
  } catch (const Json::exception& error) {
    fail("{}: no account of a unit: {}", where, error.what());
  }
  if (json.contains("shard")) {
    const Json& shard = json_object(json, "shard", where);
    result.shard = ShardEntry{.file = {},
                              .bytes = json_size(shard, "bytes", where),
                              .tokens = json_size(shard, "tokens", where),
                              .documents = json_size(shard, "documents", where),
                              .hash = hash128_from_hex(json_text(shard, "xxh3_128", where), where)};
  }
  result.counts.check_adds_up(where);
  check(result.counts.kept == (result.shard ? result.shard->documents : 0), "{}: {} documents kept, {} in the shard",
        where, result.counts.kept, result.shard ? result.shard->documents : 0);
  return result;
}

void UnitStage::keep(const std::string& key, const UnitResult& result) const {
  write_file_atomic(record_path(key), result_to_text(result));
}

std::optional<UnitResult> UnitStage::find(const std::string& key) const {
  const std::string path = record_path(key);
  if (!std::filesystem::exists(path)) return std::nullopt;
  try {
    const UnitResult result = result_from_text(read_file(path, kLargestRecord), path);
    if (result.shard) {
      ShardEntry found = describe_file(shard_path(key));
      found.file.clear();
      if (found != *result.shard) return std::nullopt;
    }
    return result;
  } catch (const Error&) {
    return std::nullopt;  // half of a unit is no unit: it is done again
  }
}

}  // namespace trireme
