// SPDX-License-Identifier: Apache-2.0
// An exam as a model meets it: its questions as requests to the scorer, and its answers as scores.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/model/architecture.h"
#include "core/train/scorer.h"
#include "data_pipeline/data.h"

namespace trireme {

/// The questions of an exam as requests to the scorer, with what the report needs to know of each.
struct ExamSheet {
  std::vector<Answer> answers;           // scores still missing
  std::vector<ScoreRequest> requests;    // of all answers, one after another
  std::vector<std::size_t> requests_of;  // number of requests of each answer
  std::string prompts;                   // with `dump`: length and bytes of each
};

/// All questions with `shots` worked examples before each, as the model of this architecture reads them. An error says
/// which question.
ExamSheet make_exam_sheet(const Exam& exam, const Tokenizer& tokenizer, const Architecture& architecture,
                          std::int64_t shots, bool dump);
/// Why no run can sit the exam in this folder with so many worked examples; nothing where one can.
std::string exam_problem(const std::string& folder, std::int64_t shots);
/// Puts the likelihoods of the sheet's requests into its answers. Throws Error for one that is no number.
void fill_in(ExamSheet& sheet, const std::vector<Likelihood>& likelihoods);
/// How many nats the right answers lack, on average, among the choices of their questions: the mean of
/// -log(p(right) / sum p(choice)). Chance is the logarithm of the number of choices.
double task_loss(const std::vector<Answer>& answers);

}  // namespace trireme
