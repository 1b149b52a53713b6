// SPDX-License-Identifier: Apache-2.0
// MMLU (Hendrycks et al. 2021) and exams in its layouts: questions with four choices, by subject.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace trireme {

struct Question {
  std::string text;
  std::vector<std::string> choices;  // 2 to 26
  std::int64_t answer = 0;           // index of the right one
};

struct Subject {
  std::string name;            // "abstract_algebra"
  std::vector<Question> dev;   // worked examples, in file order
  std::vector<Question> test;  // scored
};

struct Exam {
  std::vector<Subject> subjects;  // by name
  std::string split;              // of the scored questions: "test" or "validation"
};

/// Reads an exam from a folder in one of the layouts
///   DIR/{dev,test}/SUBJECT_{dev,test}.csv    headerless: question, A, B, C, D, letter
///   DIR/{dev,test}.jsonl                     subject, question, choices, answer (index or letter)
/// where `val` or `validation` stands in for a missing test split. Throws Error naming file and line on anything else.
Exam load_mmlu(const std::string& folder);

/// Which map from subject to category: the original release's, or the reference harness's (anatomy is STEM there).
enum class CategoryMap { hendrycks, harness };
/// "STEM", "humanities", "social sciences" or "other"; a subject that MMLU does not have is "uncategorised".
std::string_view category_of(std::string_view subject, CategoryMap map);

/// The prompt of one question as the reference harness writes it: the description, `shots` worked examples from
/// subject.dev, the question, "Answer:". The continuations are " A", " B", ...
std::string mmlu_prompt(const Subject& subject, const Question& question, std::int64_t shots);
/// " A", " B", ... of the choices.
std::vector<std::string> mmlu_continuations(const Question& question);

}  // namespace trireme
