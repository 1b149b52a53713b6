// SPDX-License-Identifier: Apache-2.0
// The account of a corpus: what each unit says, summed by source, with what people should hear of.
#pragma once

#include <string>
#include <vector>

#include "data_pipeline/pipeline/unit_result.h"
#include "data_pipeline/shards/manifest.h"

namespace trireme {

/// The manifest out of the results and the final shards of all units (a shard without documents: nothing was left of
/// the unit); copies count as rejected by "duplicate". Sources of which nothing is kept and the first damaged records
/// of each source are added to `warnings`.
CorpusManifest make_account(const DataConfig& config, const WorkPlan& plan, const ShardHeader& header,
                            const std::vector<UnitResult>& results, const std::vector<ShardEntry>& shards,
                            std::vector<std::string>& warnings);

/// "206 records read, 100 source: redirect, 3 failed: truncated".
std::string explain_counts(const DocumentCounts& counts);

}  // namespace trireme
