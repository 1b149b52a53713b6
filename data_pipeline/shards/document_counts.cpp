// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/shards/document_counts.h"

#include "core/base/error.h"

namespace trireme {
namespace {

std::uint64_t total(const std::map<std::string, std::uint64_t>& counts) {
  std::uint64_t sum = 0;
  for (const auto& [reason, count] : counts) sum += count;
  return sum;
}

}  // namespace

std::uint64_t DocumentCounts::total_rejected() const { return total(rejected); }
std::uint64_t DocumentCounts::total_failed() const { return total(failed); }

void DocumentCounts::check_adds_up(const std::string& what) const {
  check(read == kept + total_rejected() + total_failed(),
        "{}: {} documents read, but {} kept + {} rejected + {} failed = {}: documents went missing", what, read, kept,
        total_rejected(), total_failed(), kept + total_rejected() + total_failed());
}

void DocumentCounts::merge(const DocumentCounts& other) {
  read += other.read;
  kept += other.kept;
  for (const auto& [reason, count] : other.rejected) rejected[reason] += count;
  for (const auto& [reason, count] : other.failed) failed[reason] += count;
}

}  // namespace trireme
