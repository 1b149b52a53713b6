// SPDX-License-Identifier: Apache-2.0
// Quality rules that look at a document's text alone: its length, and the word rules of Gopher (Rae et al. 2021, A1.1).
#pragma once

#include <cstdint>
#include <string_view>

#include "data_pipeline/pipeline/data_config.h"

namespace trireme {

/// Counts over a text. A word is a maximal run of letters, marks and digits (Unicode L, M, N), in which an apostrophe
/// (' or U+2019) or a hyphen (-) between two of them belongs to the word. A line is what stands between line feeds, if
/// anything but white space does.
struct TextStatistics {
  std::uint64_t characters = 0;  // code points
  std::uint64_t words = 0;
  std::uint64_t word_characters = 0;   // code points of all words
  std::uint64_t alphabetic_words = 0;  // with at least one letter
  std::uint64_t hashes = 0;            // '#'
  std::uint64_t ellipses = 0;          // "..." (not overlapping) and U+2026
  std::uint64_t lines = 0;
  std::uint64_t bullet_lines = 0;    // that begin with '-' or U+2022, white space aside
  std::uint64_t ellipsis_lines = 0;  // that end with "..." or U+2026, white space aside
  std::uint64_t stop_words = 0;      // different ones, as they are written here: the be to of and that have with
};

TextStatistics measure_text(std::string_view text);

/// The first rule that the text breaks, one of a few fixed texts; empty when it breaks none.
std::string_view broken_rule(const TextStatistics& text, const FilterConfig& rules);

}  // namespace trireme
