// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/source/document.h"

#include <utility>

namespace trireme {
namespace {

constexpr std::size_t kMostExamples = 16;
constexpr std::size_t kMostTemplateNames = 20'000;

std::uint64_t total(const std::map<std::string, std::uint64_t>& counts) {
  std::uint64_t sum = 0;
  for (const auto& [reason, n] : counts) {
    sum += n;
  }
  return sum;
}

void add(std::map<std::string, std::uint64_t>& to, const std::map<std::string, std::uint64_t>& from) {
  for (const auto& [reason, n] : from) {
    to[reason] += n;
  }
}

}  // namespace

std::uint64_t ReadCounts::total_skipped() const { return total(skipped); }
std::uint64_t ReadCounts::total_failed() const { return total(failed); }

void ReadCounts::skip(std::string_view reason) {
  ++records;
  ++skipped[std::string(reason)];
}

void ReadCounts::fail(std::string_view reason, std::string detail) {
  ++records;
  ++failed[std::string(reason)];
  if (examples.size() < kMostExamples) {
    examples.push_back(std::move(detail));
  }
}

void ReadCounts::note(std::string_view remark) { ++noted[std::string(remark)]; }

void ReadCounts::drop_template(std::string_view name, std::uint64_t times) {
  std::string key(name);
  // The names come from the input: without a bound a hostile dump could fill the memory with them.
  if (dropped_templates.size() >= kMostTemplateNames && !dropped_templates.contains(key)) {
    key = "(other)";
  }
  dropped_templates[std::move(key)] += times;
}

void ReadCounts::merge(const ReadCounts& other) {
  records += other.records;
  documents += other.documents;
  add(skipped, other.skipped);
  add(failed, other.failed);
  add(noted, other.noted);
  for (const auto& [name, n] : other.dropped_templates) {
    drop_template(name, n);
  }
  bytes += other.bytes;
  decoded_bytes += other.decoded_bytes;
  for (const auto& example : other.examples) {
    if (examples.size() < kMostExamples) {
      examples.push_back(example);
    }
  }
}

}  // namespace trireme
