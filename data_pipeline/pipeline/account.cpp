// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/pipeline/account.h"

#include <algorithm>

#include "core/base/error.h"

namespace trireme {
namespace {

constexpr std::size_t kMostExamples = 5;  // damaged records shown per source
constexpr std::size_t kMostNotes = 100;

/// The notes with the largest counts, of equal ones the first by name.
std::map<std::string, std::uint64_t> most_frequent(const std::map<std::string, std::uint64_t>& notes) {
  std::vector<std::pair<std::string, std::uint64_t>> list(notes.begin(), notes.end());
  std::stable_sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  list.resize(std::min(list.size(), kMostNotes));
  return {list.begin(), list.end()};
}

std::vector<CorpusSource> planned_sources(const DataConfig& config, const WorkPlan& plan) {
  std::vector<CorpusSource> sources(config.sources.size());
  for (std::size_t s = 0; s < sources.size(); ++s) sources[s].name = source_name(config, s);
  for (const PlannedFile& file : plan.files) {
    CorpusSource& source = sources[file.source];
    const std::string kind(source_kind_name(file.kind));
    source.kind = source.kind.empty() || source.kind == kind ? kind : "mixed";
    source.files.push_back({file.path, file.bytes});
  }
  return sources;
}

void add_unit(const UnitResult& result, const ShardEntry& shard, CorpusSource& source) {
  source.counts.merge(result.counts);
  for (const auto& [note, count] : result.notes) source.notes[note] += count;
  check(shard.documents <= result.counts.kept, "{}: {} documents of {}", shard.file, shard.documents,
        result.counts.kept);
  if (const std::uint64_t copies = result.counts.kept - shard.documents; copies > 0) {
    source.counts.kept -= copies;
    source.counts.rejected["duplicate"] += copies;
  }
  source.tokens += shard.tokens;
}

}  // namespace

CorpusManifest make_account(const DataConfig& config, const WorkPlan& plan, const ShardHeader& header,
                            const std::vector<UnitResult>& results, const std::vector<ShardEntry>& shards,
                            std::vector<std::string>& warnings) {
  CorpusManifest manifest;
  manifest.header = header;
  manifest.settings = plan.settings;
  manifest.key = plan.key;
  manifest.sources = planned_sources(config, plan);
  std::vector<std::vector<std::string>> examples(manifest.sources.size());
  for (std::size_t u = 0; u < plan.units.size(); ++u) {
    const std::size_t s = plan.files[plan.units[u].file].source;
    add_unit(results[u], shards[u], manifest.sources[s]);
    if (shards[u].documents > 0) manifest.shards.push_back(shards[u]);
    for (const std::string& example : results[u].examples) {
      if (examples[s].size() < kMostExamples) examples[s].push_back(example);
    }
  }
  for (std::size_t s = 0; s < manifest.sources.size(); ++s) {
    CorpusSource& source = manifest.sources[s];
    source.notes = most_frequent(source.notes);
    if (source.counts.kept == 0) {
      warnings.push_back(fmt::format("nothing was kept of {}: {}", source.name, explain_counts(source.counts)));
    }
    for (const std::string& example : examples[s]) {
      warnings.push_back(fmt::format("damaged, in {}: {}", source.name, example));
    }
  }
  return manifest;
}

std::string explain_counts(const DocumentCounts& counts) {
  std::string text = fmt::format("{} records read, {} kept", counts.read, counts.kept);
  for (const auto& [rule, count] : counts.rejected) text += fmt::format(", {} {}", count, rule);
  for (const auto& [reason, count] : counts.failed) text += fmt::format(", {} failed: {}", count, reason);
  return text;
}

}  // namespace trireme
