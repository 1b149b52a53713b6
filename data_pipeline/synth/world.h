// SPDX-License-Identifier: Apache-2.0
// The fictional world: who and what is in it, what is true of it, and which of its facts the exam asks for.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data_pipeline/synth/draws.h"

namespace trireme::synth {

/// What a page or a question is about: one entry of one subject.
struct FactId {
  std::uint32_t subject;
  std::uint32_t entry;

  friend bool operator==(FactId, FactId) = default;
  friend auto operator<=>(FactId, FactId) = default;
};

/// One kind of fact: every entry (a person, a town, a feast, a pair of numbers) has exactly one value.
struct Subject {
  std::string name;  // as in the exam's file names
  std::vector<std::string> entries;
  std::vector<std::string> seconds;  // the second number of a pair; empty for other subjects
  std::vector<std::string> values;   // in their natural order, in which choices are listed
  std::vector<std::uint32_t> truth;  // value of each entry
  // Blocks of four facts with four values: all four questions show the same choices, and each choice is right once, so
  // that whatever is known about choices alone scores exactly 25 %.
  std::vector<std::array<std::uint32_t, 4>> exam;
  std::vector<std::uint32_t> dev;       // the five questions shown as examples
  std::vector<std::uint32_t> practice;  // what quiz pages may ask: neither exam nor dev
};

struct World {
  /// The world of (documents, seed): more documents tell of more people, up to `kMostPeople`.
  World(std::uint64_t seed, std::size_t documents);

  static constexpr std::size_t kMostPeople = 160;
  static constexpr std::size_t kTrades = 0, kBeasts = 1, kCoats = 2, kGoods = 3, kWalls = 4, kFeasts = 5, kSums = 6;

  /// Four values of the subject in their order, the true one among them: what a question offers.
  std::array<std::uint32_t, 4> choices(FactId fact, Draws& draws) const;
  const std::string& value(FactId fact) const;

  std::uint64_t seed;
  std::vector<std::string> people, towns, feasts;
  std::vector<Subject> subjects;

  /// A person of the long tail: told of rarely, never asked for.
  struct Minor {
    std::string name;
    std::uint32_t trade, beast, town;
  };
  std::vector<Minor> minors;

  /// The tongue of songs: words, each with the words that like to follow it.
  static constexpr std::size_t kFollowers = 6;
  std::vector<std::string> tongue;
  std::vector<std::array<std::uint32_t, kFollowers>> followers;
};

}  // namespace trireme::synth
