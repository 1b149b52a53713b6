// SPDX-License-Identifier: Apache-2.0
// The rules that hold the tree together, as functions from a folder to what breaks them there.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace trireme::house {

/// One broken rule: where (relative path, and the line from 1, or 0 for the whole file) and what to change.
struct Finding {
  std::string file;
  int line = 0;
  std::string message;
};

/// Every broken rule in the rooms under `root` (core, kernels, parallel, data_pipeline, launch, tests), sorted by file
/// and line: who may include what, `#pragma once`, SPDX lines, sources that no CMakeLists.txt lists, and names that say
/// nothing.
std::vector<Finding> inspect_tree(const std::filesystem::path& root);

/// How many sources and headers inspect_tree looks at: a check that saw no file has checked nothing.
int count_code_files(const std::filesystem::path& root);

/// `file:line: message`, one finding a line.
std::string describe(const std::vector<Finding>& findings);

}  // namespace trireme::house
