// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/synth/pages.h"

#include <array>

#include "data_pipeline/synth/quiz.h"
#include "data_pipeline/synth/sentences.h"

namespace trireme::synth {

namespace {

constexpr std::array<std::string_view, kPageKinds> kKindNames{"quiz",
                                                              "gazette",
                                                              "street",
                                                              "tale",
                                                              "register_of_few",
                                                              "duplicate",
                                                              "near_duplicate",
                                                              "too_short",
                                                              "symbols",
                                                              "repeated",
                                                              "truncated_member",
                                                              "length_too_large",
                                                              "length_too_small",
                                                              "invalid_utf8"};

constexpr std::size_t kFactsOfGazette = 8;
constexpr std::size_t kDuplicateOf = 7;  // pages back; lands on an ordinary page, see special_kind

/// Kinds that come at fixed places, so that even a small crawl has each; `tale` where none does.
PageKind special_kind(std::size_t index) {
  if (index % 40 == 39) return PageKind::duplicate;
  if (index % 40 == 19) return PageKind::near_duplicate;
  switch (index % 320) {
    case 31:
      return PageKind::truncated_member;
    case 71:
      return PageKind::length_too_large;
    case 111:
      return PageKind::length_too_small;
    case 151:
      return PageKind::invalid_utf8;
    case 191:
      return PageKind::too_short;
    case 231:
      return PageKind::symbols;
    case 271:
      return PageKind::repeated;
    default:
      return PageKind::tale;
  }
}

PageKind ordinary_kind(Draws& draws) {
  const std::size_t share = draws.below(100);
  if (share < 42) return PageKind::quiz;
  if (share < 72) return PageKind::gazette;
  if (share < 86) return PageKind::street;
  if (share < 95) return PageKind::tale;
  return PageKind::register_of_few;
}

constexpr std::string_view kHosts[] = {"gazette", "almanac", "parish", "letters", "market", "schoolroom", "wayfarer"};
constexpr std::string_view kHeads[] = {"Home | News | Market | Contact", "Skip to content\nMenu\nSearch",
                                       "Log in · Register · Help", "You are here: Home » Archive"};
constexpr std::string_view kFeet[] = {"© The Gazette – all rights kept", "Share this page\nPrint\nSend to a friend",
                                      "This site uses cookies. Accept | Decline", "Café of the Three Bells: open daily",
                                      "Back to top"};

std::string with_trimmings(std::string text, Draws& draws, unsigned chance) {
  if (draws.percent(chance)) text = std::string(draws.pick(kHeads)) + "\n" + text;
  if (draws.percent(chance)) text.append("\n").append(draws.pick(kFeet));
  return text;
}

std::string street(const World& world, Draws& draws, std::vector<FactId>& stated) {
  std::string text;
  const std::size_t theme = draws.below(10);
  const std::size_t subject = theme < 5 ? World::kTrades : theme < 8 ? World::kGoods : World::kFeasts;
  const std::size_t entries = world.subjects[subject].entries.size();
  for (std::size_t i = 0; i < (subject == World::kTrades ? 3U : subject == World::kGoods ? 4U : 5U); ++i) {
    if (i != 0) text += '\n';
    text += portrait(world, subject, static_cast<std::uint32_t>(draws.below(entries)), draws, stated);
  }
  for (std::size_t i = 0; i < 2; ++i) text.append(" ").append(small_talk(draws));
  return text;
}

std::string tale(const World& world, Draws& draws) {
  std::vector<std::string> lines;
  lines.push_back("The song of " + draws.pick(world.towns) +
                  " is older than the town, and this is how it was sung to me.");
  const std::size_t verses = draws.between(4, 8);
  for (std::size_t i = 0; i < verses; ++i) lines.push_back(verse(world, draws));
  for (std::size_t i = 0; i < 3; ++i) lines.push_back(small_talk(draws));
  return paragraphs(lines, draws);
}

std::string register_of_few(const World& world, Draws& draws) {
  std::vector<std::string> lines;
  const std::size_t people = draws.between(6, 10);
  for (std::size_t i = 0; i < people; ++i) {
    lines.push_back(minor_statement(world, world.minors[draws.skewed(world.minors.size())], draws));
    if (draws.percent(40)) lines.push_back(small_talk(draws));
  }
  return paragraphs(lines, draws);
}

std::string symbols(Draws& draws) {
  std::string text;
  for (std::size_t i = 0; i < 80; ++i) {
    text.append(draws.percent(50) ? "### " : "... ").append(std::to_string(draws.below(99999))).append(" ");
  }
  return text;
}

}  // namespace

std::string_view page_kind_name(PageKind kind) { return kKindNames[static_cast<std::size_t>(kind)]; }

bool sound(PageKind kind) { return kind <= PageKind::near_duplicate; }

std::string paragraphs(const std::vector<std::string>& sentences, Draws& draws) {
  std::string text;
  std::size_t left = draws.between(2, 5);
  for (std::size_t i = 0; i < sentences.size(); ++i) {
    if (i != 0) text += left == 0 ? '\n' : ' ';
    left = left == 0 ? draws.between(2, 5) : left - 1;
    text += sentences[i];
  }
  return text;
}

std::string portrait(const World& world, std::size_t subject, std::uint32_t entry, Draws& draws,
                     std::vector<FactId>& stated) {
  std::vector<std::uint32_t> known;
  const auto& kin = world.subjects[subject].entries;
  for (std::uint32_t s = 0; s < world.subjects.size(); ++s) {
    if (world.subjects[s].entries == kin) known.push_back(s);
  }
  draws.shuffle(known);
  std::string text;
  for (std::uint32_t s : known) {
    const FactId fact{s, entry};
    if (!text.empty()) text += ' ';
    text += statement(world, fact, draws);
    stated.push_back(fact);
    if (draws.percent(35)) text.append(" ").append(small_talk(draws));
  }
  return text;
}

Pages::Pages(const World& world, std::size_t count) : world_(world), kinds_(count), first_turn_(count) {
  std::vector<FactId> all;
  for (std::uint32_t s = 0; s < world.subjects.size(); ++s) {
    for (std::uint32_t e = 0; e < world.subjects[s].entries.size(); ++e) all.push_back({s, e});
  }
  std::uint64_t turn = 0;
  for (std::size_t i = 0; i < count; ++i) {
    kinds_[i] = special_kind(i);
    if (kinds_[i] == PageKind::tale) {
      Draws draws(world.seed, "synth page kind", i);
      kinds_[i] = ordinary_kind(draws);
    }
    first_turn_[i] = turn;
    if (kinds_[i] == PageKind::gazette) turn += kFactsOfGazette;
  }
  for (std::uint64_t round = 0; turns_.size() < turn + kFactsOfGazette; ++round) {
    Draws draws(world.seed, "synth turns", round);
    std::vector<FactId> order = all;
    draws.shuffle(order);
    turns_.insert(turns_.end(), order.begin(), order.end());
  }
}

std::string Pages::gazette(std::size_t index, Draws& draws, std::vector<FactId>& stated) const {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < kFactsOfGazette; ++i) {
    stated.push_back(turns_[first_turn_[index] + i]);
    lines.push_back(statement(world_, stated.back(), draws));
    if (draws.percent(20)) lines.push_back(small_talk(draws));
    if (draws.percent(8)) {
      lines.push_back(minor_statement(world_, world_.minors[draws.skewed(world_.minors.size())], draws));
    }
  }
  return paragraphs(lines, draws);
}

Page Pages::page(std::size_t index) const {
  Draws draws(world_.seed, "synth page", index);
  const PageKind kind = kinds_[index];
  if (kind == PageKind::duplicate || kind == PageKind::near_duplicate) {
    Page copy = page(index - kDuplicateOf);
    if (kind == PageKind::near_duplicate) copy.text = with_trimmings(copy.text + "\n" + small_talk(draws), draws, 60);
    copy.kind = kind;
    copy.url.insert(copy.url.rfind('/'), "/mirror");
    return copy;
  }
  Page page{.kind = kind, .title = {}, .url = {}, .text = {}, .stated = {}};
  page.url = "http://www." + std::string(draws.pick(kHosts)) + ".example/" + std::string(page_kind_name(kind)) + "/" +
             std::to_string(index);
  switch (kind) {
    case PageKind::quiz:
      page.text = with_trimmings(quiz_page(world_, draws.below(world_.subjects.size()), draws), draws, 5);
      break;
    case PageKind::street:
      page.text = with_trimmings(street(world_, draws, page.stated), draws, 15);
      break;
    case PageKind::tale:
      page.text = with_trimmings(tale(world_, draws), draws, 15);
      break;
    case PageKind::register_of_few:
      page.text = with_trimmings(register_of_few(world_, draws), draws, 15);
      break;
    case PageKind::too_short:
      page.text = small_talk(draws);
      break;
    case PageKind::symbols:
      page.text = symbols(draws);
      break;
    case PageKind::repeated: {
      const std::string line = small_talk(draws);
      for (std::size_t i = 0; i < 30; ++i) page.text += line + "\n";
      break;
    }
    default:
      page.text = with_trimmings(gazette(index, draws, page.stated), draws, 15);
  }
  if (kind == PageKind::invalid_utf8) page.text.insert(page.text.size() / 2, "\xC3\x28\xFF\xE2\x82");
  if (!sound(kind)) page.stated.clear();
  page.text += '\n';
  return page;
}

}  // namespace trireme::synth
