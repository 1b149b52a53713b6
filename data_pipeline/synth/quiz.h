// SPDX-License-Identifier: Apache-2.0
// The exam, and the quiz pages that practise its format on other facts.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "data_pipeline/synth/world.h"

namespace trireme::synth {

/// A question with four choices, as in MMLU.
struct ExamQuestion {
  FactId fact;
  std::string text;
  std::array<std::string, 4> choices;
  std::size_t answer;  // 0..3
};

/// The five example questions of a subject.
std::vector<ExamQuestion> dev_questions(const World& world, std::size_t subject);
/// The exam's questions of a subject, in an order that keeps the blocks apart.
std::vector<ExamQuestion> test_questions(const World& world, std::size_t subject);

/// MMLU's layout: question,A,B,C,D,letter; no header line, lines end in a line feed (RFC 4180 quoting where needed).
std::string exam_csv(const std::vector<ExamQuestion>& questions);

/// A page that asks a few questions of one subject about facts that the exam leaves alone, with their answers, and on
/// half of the pages with a sentence that states the fact.
std::string quiz_page(const World& world, std::size_t subject, Draws& draws);

}  // namespace trireme::synth
