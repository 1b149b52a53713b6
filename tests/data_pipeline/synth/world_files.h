// SPDX-License-Identifier: Apache-2.0
// Reads a synthetic world's files back with zlib and bzip2 alone: nothing of the writer's code.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace trireme {

/// Every regular file below `folder`: its bytes by its relative name.
std::map<std::string, std::string> files_below(const std::string& folder);

struct WetRecord {
  std::map<std::string, std::string> header;
  std::string block;  // what follows the header, its two CRLFs taken off
};
struct WetFile {
  std::vector<WetRecord> records;
  std::size_t broken_members = 0;  // members that do not inflate to their end
};
/// The gzip members of a WET file, each parsed as one record; after a broken one, on from the next gzip magic.
WetFile read_wet(const std::string& bytes);

/// The text of a file of concatenated bzip2 streams.
std::string unbzip2(const std::string& bytes);

/// The fields of a headerless CSV file, line by line (no quotes are expected).
std::vector<std::vector<std::string>> read_csv(const std::string& text);

/// Valid UTF-8 by the table of RFC 3629.
bool is_utf8(const std::string& text);

}  // namespace trireme
