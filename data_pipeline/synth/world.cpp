// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/synth/world.h"

#include <algorithm>
#include <set>
#include <string_view>

namespace trireme::synth {

namespace {

// Eight values a subject, sorted as the exam lists them; one word each, so that a small vocabulary holds them whole.
constexpr std::size_t kValues = 8;
using Values = std::array<std::string_view, kValues>;
constexpr Values kTradeNames{"baker", "carter", "fisher", "mason", "miller", "potter", "tailor", "weaver"};
constexpr Values kBeastNames{"cat", "dog", "fox", "goat", "hare", "horse", "pony", "toad"};
constexpr Values kColourNames{"black", "blue", "green", "grey", "red", "violet", "white", "yellow"};
constexpr Values kGoodNames{"barley", "cheese", "glass", "honey", "paper", "salt", "silk", "wool"};
constexpr Values kWallNames{"brick", "chalk", "clay", "granite", "marble", "oak", "slate", "timber"};
constexpr Values kPlaceNames{"first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"};

constexpr std::string_view kNumbers[] = {"zero",     "one",      "two",      "three",   "four",    "five",
                                         "six",      "seven",    "eight",    "nine",    "ten",     "eleven",
                                         "twelve",   "thirteen", "fourteen", "fifteen", "sixteen", "seventeen",
                                         "eighteen", "nineteen", "twenty"};
constexpr std::size_t kLargestTerm = 10;
constexpr std::size_t kSmallestAsked = 4, kLargestAsked = 19;  // sums in full windows of four

constexpr std::string_view kOnsets[] = {"b", "br", "d", "dr", "f", "g",  "gr", "h",  "j", "k", "kr", "l",
                                        "m", "n",  "p", "r",  "s", "st", "t",  "th", "v", "w", "z"};
constexpr std::string_view kVowels[] = {"a", "e", "i", "o", "u"};
constexpr std::string_view kCodas[] = {"ld", "l", "m", "n", "nd", "r", "rn", "s", "sk", "th"};
constexpr std::string_view kTownEnds[] = {"by", "ton", "wick", "mar"};

/// Names that nobody else has, the words of the exam included.
class Names {
 public:
  explicit Names(std::uint64_t seed) : draws_(seed, "synth names") {
    for (const auto& values : {kTradeNames, kBeastNames, kColourNames, kGoodNames, kWallNames, kPlaceNames}) {
      for (std::string_view value : values) used_.emplace(value);
    }
  }

  /// `syllables` of them, then `ends` (any of them, or nothing).
  std::string lower(std::size_t syllables, std::string_view end = "") {
    for (std::size_t tries = 0;; ++tries) {
      std::string name;
      // A name that cannot be found in a thousand tries gets a syllable more: the stock of short ones is used up.
      for (std::size_t i = 0; i + 1 < syllables + tries / 1000; ++i) {
        name.append(draws_.pick(kOnsets)).append(draws_.pick(kVowels));
      }
      name.append(draws_.pick(kOnsets)).append(draws_.pick(kVowels)).append(draws_.pick(kCodas)).append(end);
      if (used_.insert(name).second) return name;
    }
  }

  std::string capital(std::size_t syllables, std::string_view end = "") {
    std::string name = lower(syllables, end);
    name[0] = static_cast<char>(name[0] - 'a' + 'A');
    return name;
  }

  Draws& draws() { return draws_; }

 private:
  Draws draws_;
  std::set<std::string> used_;
};

/// Each value for as many entries as any other: knowing which values are common tells nothing.
Subject balanced(std::uint64_t seed, std::string name, const std::vector<std::string>& entries, const Values& values) {
  Subject subject{.name = std::move(name),
                  .entries = entries,
                  .seconds = {},
                  .values = {values.begin(), values.end()},
                  .truth = {},
                  .exam = {},
                  .dev = {},
                  .practice = {}};
  for (std::size_t i = 0; i < entries.size(); ++i) subject.truth.push_back(static_cast<std::uint32_t>(i % kValues));
  Draws draws(seed, "synth truth " + subject.name);
  draws.shuffle(subject.truth);
  return subject;
}

Subject sums() {
  Subject subject;
  subject.name = "sums";
  for (std::string_view number : kNumbers) subject.values.emplace_back(number);
  for (std::size_t a = 1; a <= kLargestTerm; ++a) {
    for (std::size_t b = 1; b <= kLargestTerm; ++b) {
      subject.entries.emplace_back(kNumbers[a]);
      subject.seconds.emplace_back(kNumbers[b]);
      subject.truth.push_back(static_cast<std::uint32_t>(a + b));
    }
  }
  return subject;
}

/// Deals the entries out: blocks of the exam first, then the examples, the rest for practice.
void split(std::uint64_t seed, Subject& subject, std::size_t blocks) {
  Draws draws(seed, "synth split " + subject.name);
  const bool pairs = !subject.seconds.empty();
  std::vector<std::vector<std::uint32_t>> of_value(subject.values.size());
  for (std::uint32_t i = 0; i < subject.truth.size(); ++i) of_value[subject.truth[i]].push_back(i);
  for (auto& entries : of_value) draws.shuffle(entries);

  std::vector<std::uint32_t> round;  // values still to be asked for in this round, four at a time
  for (std::size_t block = 0; block < blocks; ++block) {
    if (round.empty()) {
      for (std::uint32_t v = pairs ? kSmallestAsked : 0; v < (pairs ? kLargestAsked + 1 : kValues); ++v) {
        round.push_back(v);
      }
      if (!pairs) draws.shuffle(round);
    }
    auto& taken = subject.exam.emplace_back();
    for (std::uint32_t& entry : taken) {
      auto& entries = of_value[round.back()];
      round.pop_back();
      entry = entries.back();
      entries.pop_back();
    }
  }
  std::vector<std::uint32_t> rest;
  for (std::uint32_t v = 0; v < of_value.size(); ++v) {
    if (pairs && (v < kSmallestAsked || v > kLargestAsked)) continue;
    rest.insert(rest.end(), of_value[v].begin(), of_value[v].end());
  }
  draws.shuffle(rest);
  subject.dev.assign(rest.end() - 5, rest.end());
  subject.practice.assign(rest.begin(), rest.end() - 5);
}

std::size_t multiple_of_values(std::size_t count) { return (count + kValues - 1) / kValues * kValues; }

}  // namespace

World::World(std::uint64_t world_seed, std::size_t documents) : seed(world_seed) {
  Names names(seed);
  const std::size_t crowd = multiple_of_values(std::clamp<std::size_t>(documents / 120, 24, kMostPeople));
  const std::size_t places = multiple_of_values(crowd * 3 / 5);
  for (std::size_t i = 0; i < crowd; ++i) people.push_back(names.capital(1 + i % 2));
  for (std::size_t i = 0; i < places; ++i) towns.push_back(names.capital(1, names.draws().pick(kTownEnds)));
  for (std::size_t i = 0; i < places; ++i) feasts.push_back(names.capital(1, "a"));

  subjects.push_back(balanced(seed, "trades", people, kTradeNames));
  subjects.push_back(balanced(seed, "beasts", people, kBeastNames));
  subjects.push_back(balanced(seed, "coats", people, kColourNames));
  subjects.push_back(balanced(seed, "goods", towns, kGoodNames));
  subjects.push_back(balanced(seed, "walls", towns, kWallNames));
  subjects.push_back(balanced(seed, "feasts", feasts, kPlaceNames));
  subjects.push_back(sums());
  for (Subject& subject : subjects) {
    split(seed, subject, subject.seconds.empty() ? std::max<std::size_t>(1, subject.entries.size() / 16) : 4);
  }

  Draws draws(seed, "synth minors");
  for (std::size_t i = 0; i < std::max<std::size_t>(64, documents / 10); ++i) {
    minors.push_back({names.capital(3), static_cast<std::uint32_t>(draws.below(kValues)),
                      static_cast<std::uint32_t>(draws.below(kValues)),
                      static_cast<std::uint32_t>(draws.below(places))});
  }
  Draws words(seed, "synth tongue");
  constexpr std::size_t kWords = 300;
  for (std::size_t i = 0; i < kWords; ++i) {
    tongue.push_back(names.lower(i < 60 ? 1 : 2));
    auto& next = followers.emplace_back();
    for (std::uint32_t& word : next) word = static_cast<std::uint32_t>(words.skewed(kWords));
  }
}

const std::string& World::value(FactId fact) const {
  const Subject& subject = subjects[fact.subject];
  return subject.values[subject.truth[fact.entry]];
}

std::array<std::uint32_t, 4> World::choices(FactId fact, Draws& draws) const {
  const Subject& subject = subjects[fact.subject];
  const std::uint32_t truth = subject.truth[fact.entry];
  if (!subject.seconds.empty()) {
    // Four sums in a row: with either number alone every choice stays as likely as the others.
    const std::uint32_t first = truth / 4 * 4;
    return {first, first + 1, first + 2, first + 3};
  }
  std::vector<std::uint32_t> others;
  for (std::uint32_t v = 0; v < subject.values.size(); ++v) {
    if (v != truth) others.push_back(v);
  }
  draws.shuffle(others);
  std::array<std::uint32_t, 4> four{truth, others[0], others[1], others[2]};
  std::sort(four.begin(), four.end());
  return four;
}

}  // namespace trireme::synth
