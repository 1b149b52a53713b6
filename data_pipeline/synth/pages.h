// SPDX-License-Identifier: Apache-2.0
// The crawl's pages: what each one is, and its text, as a pure function of (world, index).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data_pipeline/synth/world.h"

namespace trireme::synth {

enum class PageKind : std::uint8_t {
  quiz,             // the exam's format, other facts
  gazette,          // news of many places
  street,           // a few people, towns or feasts, all that is true of each
  tale,             // songs and small talk
  register_of_few,  // people of the long tail
  duplicate,        // the same text as an earlier page
  near_duplicate,   // an earlier page with other trimmings and a sentence changed
  too_short,        // from here on nothing that a careful reader would keep
  symbols,
  repeated,
  truncated_member,  // the record's gzip member stops half way
  length_too_large,  // Content-Length promises more than there is
  length_too_small,  // ... and less
  invalid_utf8,
};
inline constexpr std::size_t kPageKinds = 14;
std::string_view page_kind_name(PageKind kind);
/// The page can be read and states its facts in so many words.
bool sound(PageKind kind);

struct Page {
  PageKind kind;
  std::string title, url, text;
  std::vector<FactId> stated;
};

class Pages {
 public:
  /// Plans `count` pages: every fact's turn comes once a round in the gazettes, so that none is forgotten.
  Pages(const World& world, std::size_t count);

  std::size_t size() const { return kinds_.size(); }
  PageKind kind(std::size_t index) const { return kinds_[index]; }
  Page page(std::size_t index) const;

 private:
  std::string gazette(std::size_t index, Draws& draws, std::vector<FactId>& stated) const;

  const World& world_;
  std::vector<PageKind> kinds_;
  std::vector<std::uint64_t> first_turn_;  // of a gazette: where its facts start in the order of turns
  std::vector<FactId> turns_;
};

/// Everything that is true of one person, town or feast, a sentence each, in some order, with small talk between.
std::string portrait(const World& world, std::size_t subject, std::uint32_t entry, Draws& draws,
                     std::vector<FactId>& stated);

/// Sentences set in lines of a few.
std::string paragraphs(const std::vector<std::string>& sentences, Draws& draws);

}  // namespace trireme::synth
