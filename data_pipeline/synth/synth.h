// SPDX-License-Identifier: Apache-2.0
// Writes a fictional world as a crawl, an encyclopedia and an exam: the corpus that needs no download.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>

namespace trireme {

struct SynthOptions {
  std::string out;                  // a folder, made if absent
  std::uint64_t documents = 30000;  // pages of the crawl and of the encyclopedia together
  std::uint64_t seed = 1;
};

inline constexpr std::uint64_t kFewestDocuments = 400, kMostDocuments = 100'000'000;

/// Writes OUT/crawl/*.warc.wet.gz, OUT/wiki/*.xml.bz2 with its index, OUT/exam/{dev,test}/SUBJECT_*.csv, and last
/// OUT/world.json, which says what is in them (returned too). The bytes are a function of (documents, seed) alone.
/// Throws Error(usage) for too few or too many documents, or when OUT already holds anything but this same world.
nlohmann::json write_synthetic_world(const SynthOptions& options);

}  // namespace trireme
