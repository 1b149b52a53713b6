// SPDX-License-Identifier: Apache-2.0
// The account of documents: what was read is kept, rejected by a rule, or failed.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace trireme {

/// Where documents went: read = kept + all rejected + all failed.
struct DocumentCounts {
  std::uint64_t read = 0;                         // records met by the readers
  std::uint64_t kept = 0;                         // documents in the shards
  std::map<std::string, std::uint64_t> rejected;  // by rule: "source: redirect", "filter: too few words", "duplicate"
  std::map<std::string, std::uint64_t> failed;    // by reason: damaged, over a limit, not decodable

  std::uint64_t total_rejected() const;
  std::uint64_t total_failed() const;
  /// Throws Error naming `what` unless read = kept + all rejected + all failed.
  void check_adds_up(const std::string& what) const;
  void merge(const DocumentCounts& other);
  bool operator==(const DocumentCounts&) const = default;
};

}  // namespace trireme
