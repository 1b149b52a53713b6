// SPDX-License-Identifier: Apache-2.0
// What there is to do: the source files, cut into units of work, with keys that say when finished work still holds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/group.h"
#include "data_pipeline/pipeline/data_config.h"
#include "data_pipeline/shards/shard.h"
#include "data_pipeline/source/reader.h"

namespace trireme {

/// A source file as it is now.
struct PlannedFile {
  std::size_t source = 0;  // index in DataConfig::sources
  std::string path;
  SourceKind kind = SourceKind::text;
  std::uint64_t bytes = 0;
  std::string identity;  // of path, size, time of change and the first and last 64 KiB
};

/// Fills in the size and identity of `file` as it is now. Throws Error when it cannot be read.
void identify(PlannedFile& file);

struct PlannedUnit {
  std::size_t file = 0;  // index in WorkPlan::files
  WorkUnit range;
  std::string key;  // 32 hexadecimal digits over everything that decides this unit's result
};

struct WorkPlan {
  std::vector<PlannedFile> files;  // by source, then as given
  std::vector<PlannedUnit> units;  // by file, then by place
  std::string settings;            // JSON: every setting that decides the corpus
  std::string key;                 // over the settings and the identity of every file
  std::uint64_t bytes = 0;         // of all files
};

/// The name of a source, its own or "source-N".
std::string source_name(const DataConfig& config, std::size_t source);

/// Checks the settings and plans the work; the same on every rank. Throws Error(usage) for impossible settings, and one
/// that lists all files that are missing.
WorkPlan plan_work(const DataConfig& config, const ShardHeader& header, Group& world);

}  // namespace trireme
