// SPDX-License-Identifier: Apache-2.0
// One clean document with its address in the raw file, and the account of everything that a reader met.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace trireme {

/// Clean text and where it came from.
struct Document {
  std::string text;          ///< UTF-8, NFC, LF line ends
  std::string source;        ///< the file's name as it was given
  std::uint64_t record = 0;  ///< number of the record within its work unit, from 0
  std::uint64_t offset = 0;  ///< byte offset in the file of the record, or of the compressed piece in which it begins
  std::string uri_or_title;
};

/// What happened to every record: records == documents + all skipped + all failed, after each call of next().
struct ReadCounts {
  std::uint64_t records = 0;
  std::uint64_t documents = 0;
  std::map<std::string, std::uint64_t> skipped;            ///< by reason: well formed, and not wanted
  std::map<std::string, std::uint64_t> failed;             ///< by reason: damaged, over a limit, or not decodable
  std::map<std::string, std::uint64_t> noted;              ///< by remark: documents that were kept after a repair
  std::map<std::string, std::uint64_t> dropped_templates;  ///< wikitext templates removed, by name
  std::uint64_t bytes = 0;                                 ///< bytes of the file that were used
  std::uint64_t decoded_bytes = 0;                         ///< the same after decompression
  std::vector<std::string> examples;                       ///< the first failures, with file, record, offset and rule

  std::uint64_t total_skipped() const;
  std::uint64_t total_failed() const;

  /// Counts one record that is well formed and not wanted.
  void skip(std::string_view reason);
  /// Counts one record that is lost; `detail` says where and how (kept for the first few only).
  void fail(std::string_view reason, std::string detail);
  void note(std::string_view remark);
  void drop_template(std::string_view name, std::uint64_t times);

  /// Adds `other` to this account; the order of merging does not change the sums.
  void merge(const ReadCounts& other);
};

}  // namespace trireme
