// SPDX-License-Identifier: Apache-2.0
#include "launch/exam_sheet.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/base/error.h"

namespace trireme {
namespace {

void dump_prompt(const std::string& prompt, std::string& out) {
  auto length = static_cast<std::uint64_t>(prompt.size());
  for (int byte = 0; byte < 8; ++byte, length >>= 8U) out += static_cast<char>(length & 0xffU);
  out += prompt;
}

/// The pairs of a question; an error says which question.
std::vector<TokenPair> pairs_of(const Tokenizer& tokenizer, const std::string& prompt, const Question& question,
                                const PairRules& rules, const Answer& answer) {
  try {
    return encode_pairs(tokenizer, prompt, mmlu_continuations(question), rules);
  } catch (const Error& e) {
    throw Error(fmt::format("question {} of {}: {}", answer.index, answer.subject, e.what()), e.code(), e.where());
  }
}

PairRules rules_of(const Tokenizer& tokenizer, const Architecture& architecture) {
  PairRules rules;
  rules.max_tokens = architecture.context;
  const auto& prefix = tokenizer.model().template_prefix;
  if (!prefix.empty()) rules.bos = prefix.front();
  rules.empty_prefix = tokenizer.bos() ? tokenizer.bos() : tokenizer.eos();
  return rules;
}

}  // namespace

ExamSheet make_exam_sheet(const Exam& exam, const Tokenizer& tokenizer, const Architecture& architecture,
                          std::int64_t shots, bool dump) {
  const auto rules = rules_of(tokenizer, architecture);
  ExamSheet sheet;
  for (const auto& subject : exam.subjects) {
    std::int64_t index = 0;
    for (const auto& question : subject.test) {
      const auto prompt = mmlu_prompt(subject, question, shots);
      Answer answer{subject.name, index++, {}, question.answer, 0, false, false};
      auto pairs = pairs_of(tokenizer, prompt, question, rules, answer);
      for (auto& pair : pairs) {
        answer.tokens = std::max(answer.tokens, static_cast<std::int64_t>(pair.tokens.size()) - 1);
        answer.truncated = answer.truncated || pair.truncated;
        answer.fallback = answer.fallback || pair.fallback;
        sheet.requests.push_back({std::move(pair.tokens), pair.continuation});
      }
      sheet.requests_of.push_back(pairs.size());
      sheet.answers.push_back(std::move(answer));
      if (dump) dump_prompt(prompt, sheet.prompts);
    }
  }
  return sheet;
}

std::string exam_problem(const std::string& folder, std::int64_t shots) {
  try {
    for (const auto& subject : load_mmlu(folder).subjects) {
      if (!subject.test.empty()) mmlu_prompt(subject, subject.test.front(), shots);
    }
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

void fill_in(ExamSheet& sheet, const std::vector<Likelihood>& likelihoods) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < sheet.answers.size(); ++i) {
    for (std::size_t k = 0; k < sheet.requests_of[i]; ++k) {
      sheet.answers[i].scores.push_back(likelihoods[at++].log_prob);
      check(std::isfinite(sheet.answers[i].scores.back()),
            "question {} of {} scores {}: the parameters hold NaN or infinity", sheet.answers[i].index,
            sheet.answers[i].subject, sheet.answers[i].scores.back());
    }
  }
}

double task_loss(const std::vector<Answer>& answers) {
  double sum = 0;
  for (const Answer& answer : answers) {
    const double most = *std::ranges::max_element(answer.scores);
    double all = 0;
    for (const double score : answer.scores) all += std::exp(score - most);
    sum += most + std::log(all) - answer.scores.at(static_cast<std::size_t>(answer.answer));
  }
  return sum / static_cast<double>(answers.size());
}

}  // namespace trireme
