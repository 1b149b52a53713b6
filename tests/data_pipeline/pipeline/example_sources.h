// SPDX-License-Identifier: Apache-2.0
// Raw files of which every document's fate is known, for tests of the pipeline.
#pragma once

#include <string>
#include <vector>

#include "data_pipeline/pipeline/pipeline.h"

namespace trireme::testing {

/// Writes raw files into `folder` and returns the settings that read them: JSON lines in two files and a text of
/// paragraphs, with copies within a file, between files and between sources, short and symbol-ridden documents, and
/// lines that are no JSON. The corpus goes to folder/out.
DataConfig write_example_sources(const std::string& folder);

/// What becomes of the documents of write_example_sources.
DocumentCounts example_counts();

/// Every file of a corpus by name: the hash of a shard, the text of the manifest.
std::vector<std::pair<std::string, std::string>> corpus_files(const std::string& folder);

}  // namespace trireme::testing
