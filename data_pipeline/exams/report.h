// SPDX-License-Identifier: Apache-2.0
// From answers to scores: per subject, per category and over all, with standard errors.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data_pipeline/exams/mmlu.h"

namespace trireme {

/// What the model said to one question.
struct Answer {
  std::string subject;
  std::int64_t index = 0;      // within the subject's scored split
  std::vector<double> scores;  // log-likelihood of each choice
  std::int64_t answer = 0;     // the right one
  std::int64_t tokens = 0;     // of the longest input
  bool truncated = false;
  bool fallback = false;

  /// The first of the best choices.
  std::int64_t prediction() const;
  /// Another choice scored exactly as well as the best.
  bool tie() const;
};

/// A mean of 0/1 scores. The error is sqrt(p (1 - p) / (n - 1)).
struct Score {
  std::string name;
  std::int64_t questions = 0;
  double accuracy = 0.0;
  double error = 0.0;
};

struct ExamReport {
  std::vector<Score> subjects;    // by name
  std::vector<Score> categories;  // by CategoryMap::harness, in its order; only those that occur
  Score micro;                    // over questions; the error is stratified by subject, pooled as the harness does
  Score macro;                    // over subjects; error sqrt(sum of squares) / subjects
  std::int64_t ties = 0, truncated = 0, fallbacks = 0;
  std::string answers_hash;  // over predictions and flags by subject and index: equal for equal answers
};

/// The answers may come in any order.
ExamReport report_of(std::vector<Answer> answers, CategoryMap map = CategoryMap::harness);
/// The table for people.
std::string to_table(const ExamReport& report, const std::string& title);
/// The same as one JSON object.
std::string to_json_text(const ExamReport& report);
/// One JSON line of an answer, without a line break.
std::string to_json_text(const Answer& answer);

}  // namespace trireme
