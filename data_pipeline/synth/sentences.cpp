// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/synth/sentences.h"

#include <array>
#include <span>
#include <string_view>

namespace trireme::synth {

namespace {

// {e} the entry, {v} its value; of a sum {a} and {b} the terms, {t} some countable thing.
constexpr std::string_view kTradeStatements[] = {"{e} works as a {v}.",
                                                 "{e} is a {v}.",
                                                 "The trade of {e} is {v}.",
                                                 "By trade {e} has always been a {v}.",
                                                 "Everyone knows {e} the {v}.",
                                                 "{e} learned to be a {v} early in life.",
                                                 "{e}, a {v}, lives near here.",
                                                 "A {v} by trade, {e} is up before dawn.",
                                                 "If you need a {v}, ask for {e}.",
                                                 "{e} earns a living as a {v}.",
                                                 "Ask for {e}, the {v}.",
                                                 "The {v} of that street is called {e}."};
constexpr std::string_view kTradeQuestions[] = {"What is the trade of {e}?", "What is the work done by {e}?"};
constexpr std::string_view kBeastStatements[] = {"{e} keeps a {v}.",
                                                 "{e} is never seen without a {v}.",
                                                 "The animal of {e} is a {v}.",
                                                 "A {v} lives in the house of {e}.",
                                                 "{e} is fond of one animal only, a {v}.",
                                                 "The animal kept by {e} is a {v}.",
                                                 "At home {e} feeds a {v}.",
                                                 "The neighbours complain that {e} has a {v}.",
                                                 "{e} once bought a {v} and has kept it since.",
                                                 "That {v} answers only to {e}.",
                                                 "{e} and the {v} went out together.",
                                                 "The {v} in the yard belongs to {e}."};
constexpr std::string_view kBeastQuestions[] = {"What is the animal of {e}?", "Which is the animal kept by {e}?"};
constexpr std::string_view kCoatStatements[] = {"{e} wears a {v} coat.",
                                                "The coat of {e} is {v}.",
                                                "You will know {e} by a {v} coat.",
                                                "{e} dresses in {v}.",
                                                "The colour of {e} is {v}.",
                                                "The {v} coat on the hook belongs to {e}.",
                                                "{e} likes no colour but {v}.",
                                                "In a {v} coat as ever, {e} came late.",
                                                "The favourite colour of {e} is {v}.",
                                                "{e} had the door painted {v}.",
                                                "The coat worn by {e} is {v}.",
                                                "{e} came in {v}, as one would expect."};
constexpr std::string_view kCoatQuestions[] = {"What is the colour of {e}?", "Which is the coat worn by {e}?"};
constexpr std::string_view kGoodStatements[] = {
    "{e} sells {v}.",           "The town of {e} is known for its {v}.",
    "What {e} sells is {v}.",   "Carts full of {v} leave {e} every week.",
    "From {e} comes {v}.",      "The wealth of {e} is {v}.",
    "In {e} they live by {v}.", "Merchants travel to {e} to buy {v}.",
    "{e} trades in {v}.",       "There is always {v} in the market of {e}.",
    "The good of {e} is {v}.",  "{e} has sent {v} down the river for ages."};
constexpr std::string_view kGoodQuestions[] = {"What is the good of {e}?", "What is sold by the town of {e}?"};
constexpr std::string_view kWallStatements[] = {"The walls of {e} are of {v}.",
                                                "{e} is built of {v}.",
                                                "They built {e} from {v}.",
                                                "The walls of {e} are {v}.",
                                                "The gate of {e} is made of {v}.",
                                                "{e} has walls of {v}.",
                                                "Builders in {e} work with {v} alone.",
                                                "It is {v} that holds up {e}.",
                                                "The old hall in {e} is of {v} too.",
                                                "Travellers remember {e} for its {v}.",
                                                "In {e} they build with {v}.",
                                                "The material of {e} is {v}."};
constexpr std::string_view kWallQuestions[] = {"What is the material of {e}?", "What are the walls made of in {e}?"};
constexpr std::string_view kFeastStatements[] = {"{e} is the {v} feast of its season.",
                                                 "They keep {e} in the {v} week.",
                                                 "{e} comes {v} in the order of feasts.",
                                                 "In the order of feasts {e} is the {v}.",
                                                 "The {v} week brings {e}.",
                                                 "Of all feasts {e} is held {v}.",
                                                 "The feast {e} comes {v}.",
                                                 "{e} stands {v} in the roll of feasts.",
                                                 "The place of {e} is {v}.",
                                                 "The {v} place belongs to {e}."};
constexpr std::string_view kFeastQuestions[] = {"What is the place of {e}?", "Which place in the order has {e}?"};
constexpr std::string_view kSumStatements[] = {"The sum of {a} and {b} is {v}.",
                                               "Together {a} and {b} make {v}.",
                                               "Put {a} and {b} together and there are {v}.",
                                               "The clerk wrote that {a} plus {b} is {v}.",
                                               "With {a} {t} and then {b} more there were {v}.",
                                               "As every child knows, {a} plus {b} is {v}.",
                                               "They had {a} {t} and {b} {t}, which make {v} {t}.",
                                               "Adding {a} and {b} gives {v}."};
constexpr std::string_view kSumQuestions[] = {"What is the sum of {a} and {b}?", "What is the number {a} plus {b}?"};

struct Phrases {
  std::span<const std::string_view> statements, questions;
};
constexpr std::array<Phrases, 7> kPhrases{{{kTradeStatements, kTradeQuestions},
                                           {kBeastStatements, kBeastQuestions},
                                           {kCoatStatements, kCoatQuestions},
                                           {kGoodStatements, kGoodQuestions},
                                           {kWallStatements, kWallQuestions},
                                           {kFeastStatements, kFeastQuestions},
                                           {kSumStatements, kSumQuestions}}};

constexpr std::string_view kThings[] = {"loaves", "stones", "coins", "sheep",   "barrels",
                                        "carts",  "nails",  "jars",  "candles", "sacks"};
constexpr std::string_view kWho[] = {"the old man", "a traveller",    "the widow",     "a child",
                                     "the warden",  "the judge",      "our neighbour", "the stranger",
                                     "a clerk",     "the innkeeper",  "the ferryman",  "a soldier",
                                     "the midwife", "the bellringer", "nobody",        "the youngest daughter"};
constexpr std::string_view kDid[] = {"walked to",   "looked at",  "forgot",   "sang about", "remembered",       "left",
                                     "returned to", "dreamt of",  "spoke of", "waited by",  "stayed away from", "drew",
                                     "asked about", "laughed at", "found",    "never saw"};
constexpr std::string_view kWhat[] = {"the river",      "the market", "the tower",  "the old road",
                                      "the bridge",     "the fields", "the ruin",   "the hill",
                                      "the harbour",    "the well",   "the mill",   "the orchard",
                                      "the crossroads", "the lake",   "the forest", "the lighthouse"};
constexpr std::string_view kHow[] = {"in the morning",
                                     "before the rain",
                                     "after the harvest",
                                     "in winter",
                                     "at dusk",
                                     "without a word",
                                     "with a lantern",
                                     "for the last time",
                                     "as always",
                                     "alone",
                                     "and told the others",
                                     "because of the noise",
                                     "to be on the safe side",
                                     "with great care",
                                     "under a full moon",
                                     "that year"};
constexpr std::string_view kWhy[] = {", and that was that",         ", or so they say",
                                     ", though few believed it",    ", which surprised us all",
                                     ", but the dogs did not bark", ", to the joy of everyone"};

/// The pattern with its places filled, the first letter a capital.
std::string filled(std::string_view pattern, const World& world, FactId fact, Draws& draws) {
  const Subject& subject = world.subjects[fact.subject];
  const std::string_view thing = draws.pick(kThings);
  std::string text;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '{') {
      text += pattern[i];
      continue;
    }
    switch (pattern[i + 1]) {
      case 'v':
        text += world.value(fact);
        break;
      case 'b':
        text += subject.seconds[fact.entry];
        break;
      case 't':
        text += thing;
        break;
      default:
        text += subject.entries[fact.entry];
    }
    i += 2;
  }
  if (text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

}  // namespace

std::string statement(const World& world, FactId fact, Draws& draws) {
  const auto patterns = kPhrases[fact.subject].statements;
  return filled(patterns[draws.below(patterns.size())], world, fact, draws);
}

std::string question(const World& world, FactId fact, Draws& draws) {
  const auto patterns = kPhrases[fact.subject].questions;
  return filled(patterns[draws.below(patterns.size())], world, fact, draws);
}

std::string small_talk(Draws& draws) {
  std::string text{draws.pick(kWho)};
  text.append(" ").append(draws.pick(kDid)).append(" ").append(draws.pick(kWhat)).append(" ").append(draws.pick(kHow));
  if (draws.percent(20)) text.append(draws.pick(kWhy));
  text += '.';
  text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

std::string minor_statement(const World& world, const World::Minor& minor, Draws& draws) {
  const std::string& trade = world.subjects[World::kTrades].values[minor.trade];
  const std::string& beast = world.subjects[World::kBeasts].values[minor.beast];
  const std::string& town = world.towns[minor.town];
  switch (draws.below(4)) {
    case 0:
      return minor.name + " of " + town + " is a " + trade + ".";
    case 1:
      return minor.name + " has a " + beast + " in " + town + ".";
    case 2:
      return "The " + trade + " " + minor.name + " came from " + town + ".";
    default:
      return "In " + town + " the " + beast + " of " + minor.name + " ran off.";
  }
}

std::string verse(const World& world, Draws& draws) {
  std::size_t word = draws.skewed(world.tongue.size());
  std::string text = world.tongue[word];
  const std::size_t words = draws.between(5, 10);
  for (std::size_t i = 1; i < words; ++i) {
    word =
        draws.percent(85) ? world.followers[word][draws.skewed(World::kFollowers)] : draws.skewed(world.tongue.size());
    text.append(" ").append(world.tongue[word]);
  }
  text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text + ".";
}

}  // namespace trireme::synth
