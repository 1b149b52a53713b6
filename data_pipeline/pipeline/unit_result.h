// SPDX-License-Identifier: Apache-2.0
// One unit of work, from raw bytes to a staged shard and its account, kept so that a restart finds it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data_pipeline/pipeline/data_config.h"
#include "data_pipeline/pipeline/work_plan.h"
#include "data_pipeline/shards/document_counts.h"
#include "data_pipeline/shards/shard.h"
#include "data_pipeline/tokenizer/tokenizer.h"

namespace trireme {

/// What became of a unit before duplicates are taken out.
struct UnitResult {
  DocumentCounts counts;                       // duplicates still among the kept
  std::map<std::string, std::uint64_t> notes;  // repairs, and templates dropped, by name
  std::vector<std::string> examples;           // the first damaged records: file, record, offset and rule
  std::optional<ShardEntry> shard;             // in the stage, without a name; none when nothing was kept
};

/// The result as JSON, and back; `where` is for messages.
std::string result_to_text(const UnitResult& result);
UnitResult result_from_text(std::string_view text, const std::string& where);

/// The stage: a folder of finished units, each under its key.
class UnitStage {
 public:
  explicit UnitStage(std::string folder) : folder_(std::move(folder)) {}

  const std::string& folder() const { return folder_; }
  std::string shard_path(const std::string& key) const { return folder_ + "/" + key + ".h5"; }
  /// The result under this key; none when there is none, or it or its shard is damaged.
  std::optional<UnitResult> find(const std::string& key) const;
  /// Keeps the result; its shard is there already.
  void keep(const std::string& key, const UnitResult& result) const;

 private:
  std::string record_path(const std::string& key) const { return folder_ + "/" + key + ".json"; }

  std::string folder_;
};

/// Reads, extracts, normalises, filters and tokenises a unit and writes its shard into the stage. Bad documents are
/// counted; throws Error for what stops the unit: a file that cannot be read at all, a full disk.
UnitResult process_unit(const DataConfig& config, const WorkPlan& plan, const PlannedUnit& unit,
                        const ShardHeader& header, const Tokenizer& tokenizer, const UnitStage& stage);

}  // namespace trireme
