// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/synth/quiz.h"

#include <algorithm>
#include <string_view>

#include "data_pipeline/synth/sentences.h"

namespace trireme::synth {

namespace {

constexpr std::string_view kLetters = "ABCD";

ExamQuestion ask(const World& world, FactId fact, const std::array<std::uint32_t, 4>& choices, Draws& draws) {
  const Subject& subject = world.subjects[fact.subject];
  ExamQuestion asked{.fact = fact, .text = question(world, fact, draws), .choices = {}, .answer = 0};
  for (std::size_t i = 0; i < 4; ++i) {
    asked.choices[i] = subject.values[choices[i]];
    if (choices[i] == subject.truth[fact.entry]) asked.answer = i;
  }
  return asked;
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace

std::vector<ExamQuestion> dev_questions(const World& world, std::size_t subject) {
  std::vector<ExamQuestion> questions;
  for (std::uint32_t entry : world.subjects[subject].dev) {
    const FactId fact{static_cast<std::uint32_t>(subject), entry};
    Draws draws(world.seed, "synth dev", subject << 16 | entry);
    questions.push_back(ask(world, fact, world.choices(fact, draws), draws));
  }
  return questions;
}

std::vector<ExamQuestion> test_questions(const World& world, std::size_t subject) {
  const Subject& about = world.subjects[subject];
  std::vector<ExamQuestion> questions;
  for (const auto& block : about.exam) {
    std::array<std::uint32_t, 4> choices{};
    for (std::size_t i = 0; i < 4; ++i) choices[i] = about.truth[block[i]];
    std::sort(choices.begin(), choices.end());
    for (std::uint32_t entry : block) {
      Draws draws(world.seed, "synth exam", subject << 16 | entry);
      questions.push_back(ask(world, {static_cast<std::uint32_t>(subject), entry}, choices, draws));
    }
  }
  Draws order(world.seed, "synth exam order", subject);
  order.shuffle(questions);
  return questions;
}

std::string exam_csv(const std::vector<ExamQuestion>& questions) {
  std::string csv;
  for (const ExamQuestion& asked : questions) {
    csv += csv_field(asked.text);
    for (const std::string& choice : asked.choices) csv.append(",").append(csv_field(choice));
    csv.append(",").append(1, kLetters[asked.answer]).append("\n");
  }
  return csv;
}

std::string quiz_page(const World& world, std::size_t subject, Draws& draws) {
  const bool explained = draws.percent(50);
  const std::size_t count = draws.between(3, 5);
  const Subject& about = world.subjects[subject];
  std::string page = "The following are multiple choice questions (with answers) about " + about.name + ".";
  for (std::size_t i = 0; i < count; ++i) {
    const FactId fact{static_cast<std::uint32_t>(subject), draws.pick(about.practice)};
    const ExamQuestion asked = ask(world, fact, world.choices(fact, draws), draws);
    page.append("\n\n").append(asked.text);
    for (std::size_t c = 0; c < 4; ++c) page.append("\n").append(1, kLetters[c]).append(". ").append(asked.choices[c]);
    page.append("\nAnswer: ").append(1, kLetters[asked.answer]);
    if (explained) page.append("\n").append(statement(world, fact, draws));
  }
  return page;
}

}  // namespace trireme::synth
