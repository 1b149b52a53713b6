// SPDX-License-Identifier: Apache-2.0
// From raw files to a corpus of token shards, by any number of ranks, with every document accounted for.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/base/group.h"
#include "data_pipeline/pipeline/data_config.h"
#include "data_pipeline/shards/document_counts.h"

namespace trireme {

/// A moment of the work, for a progress line: bytes of all ranks, documents and tokens of this one.
struct DataProgress {
  std::string stage;             // "read", "deduplicate", "write"
  std::uint64_t bytes_done = 0;  // of the source files, handed out so far
  std::uint64_t bytes_total = 0;
  std::uint64_t documents = 0;  // kept so far by this rank
  std::uint64_t tokens = 0;     // so far by this rank
  double seconds = 0;           // since the start
};

struct DataSummary {
  DocumentCounts counts;
  std::uint64_t tokens = 0;
  std::uint64_t shards = 0;
  std::uint64_t units = 0;
  std::uint64_t units_reused = 0;     // finished by an earlier run of the same settings
  bool up_to_date = false;            // the corpus was there already and nothing was done
  std::vector<std::string> warnings;  // for people: a source of which nothing was kept, the first damaged records
  std::string manifest;               // path of corpus.json
};

/// Builds the corpus that `config` describes; every rank of `world` calls it and gets the same summary, and the bytes
/// written do not depend on the number of ranks. `progress` (may be empty) is called now and then on each rank. Units
/// that an interrupted run has finished are taken over. Throws Error, the same on every rank: usage for missing files
/// (all of them in one message) and impossible settings, failed when nothing is kept.
DataSummary run_data(const DataConfig& config, Group& world, const std::function<void(const DataProgress&)>& progress);

}  // namespace trireme
