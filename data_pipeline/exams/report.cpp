// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/exams/report.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/io/checksum.h"

namespace trireme {
namespace {

struct Tally {
  std::int64_t questions = 0;
  std::int64_t right = 0;
};

Score score_of(const std::string& name, const Tally& tally) {
  const auto n = static_cast<double>(tally.questions);
  const auto p = static_cast<double>(tally.right) / n;
  return {name, tally.questions, p, tally.questions > 1 ? std::sqrt(p * (1 - p) / (n - 1)) : 0.0};
}

/// Questions weigh the same; the variance is pooled over subjects: sqrt(sum (n_i - 1) n_i se_i^2 / (N - k) / N).
Score pooled(const std::string& name, const std::vector<Score>& subjects) {
  Score all{name, 0, 0, 0};
  double right = 0, squares = 0;
  for (const auto& s : subjects) {
    const auto n = static_cast<double>(s.questions);
    all.questions += s.questions;
    right += s.accuracy * n;
    squares += (n - 1) * n * s.error * s.error;
  }
  const auto n = static_cast<double>(all.questions);
  const auto freedom = n - static_cast<double>(subjects.size());
  all.accuracy = right / n;
  all.error = freedom > 0 ? std::sqrt(squares / freedom / n) : 0.0;
  return all;
}

Score macro_of(const std::vector<Score>& subjects) {
  Score all{"macro", 0, 0, 0};
  double squares = 0;
  for (const auto& s : subjects) {
    all.questions += s.questions;
    all.accuracy += s.accuracy;
    squares += s.error * s.error;
  }
  const auto k = static_cast<double>(subjects.size());
  all.accuracy /= k;
  all.error = std::sqrt(squares) / k;
  return all;
}

nlohmann::json to_json(const Score& s) {
  return {{"name", s.name}, {"questions", s.questions}, {"accuracy", s.accuracy}, {"stderr", s.error}};
}

nlohmann::json to_json(const std::vector<Score>& scores) {
  auto list = nlohmann::json::array();
  for (const auto& s : scores) list.push_back(to_json(s));
  return list;
}

}  // namespace

std::int64_t Answer::prediction() const { return std::max_element(scores.begin(), scores.end()) - scores.begin(); }

bool Answer::tie() const {
  const auto best = scores[static_cast<std::size_t>(prediction())];
  return std::count(scores.begin(), scores.end(), best) > 1;
}

ExamReport report_of(std::vector<Answer> answers, CategoryMap map) {
  std::sort(answers.begin(), answers.end(), [](const Answer& a, const Answer& b) {
    return std::tie(a.subject, a.index) < std::tie(b.subject, b.index);
  });
  ExamReport report;
  std::map<std::string, Tally> tallies;
  std::string record;
  for (const auto& a : answers) {
    auto& tally = tallies[a.subject];
    ++tally.questions;
    tally.right += a.prediction() == a.answer ? 1 : 0;
    report.ties += a.tie() ? 1 : 0;
    report.truncated += a.truncated ? 1 : 0;
    report.fallbacks += a.fallback ? 1 : 0;
    record +=
        fmt::format("{} {} {} {:d}{:d}{:d}\n", a.subject, a.index, a.prediction(), a.tie(), a.truncated, a.fallback);
  }
  report.answers_hash = hex(xxh3_128(record));
  for (const auto& [name, tally] : tallies) report.subjects.push_back(score_of(name, tally));
  for (const auto* category : {"STEM", "humanities", "social sciences", "other", "uncategorised"}) {
    std::vector<Score> members;
    for (const auto& s : report.subjects) {
      if (category_of(s.name, map) == category) members.push_back(s);
    }
    if (!members.empty()) report.categories.push_back(pooled(category, members));
  }
  report.micro = pooled("micro", report.subjects);
  report.macro = macro_of(report.subjects);
  return report;
}

std::string to_table(const ExamReport& report, const std::string& title) {
  std::size_t width = title.size();
  for (const auto& s : report.subjects) width = std::max(width, s.name.size() + 2);
  const auto line = [&](const std::string& name, const Score& s) {
    return fmt::format("{:<{}}  {:>9}  {:>7.2f} % +- {:.2f}\n", name, width, s.questions, 100 * s.accuracy,
                       100 * s.error);
  };
  auto text = fmt::format("{:<{}}  {:>9}  {:>9}\n", title, width, "questions", "accuracy");
  for (const auto& s : report.subjects) text += line("  " + s.name, s);
  for (const auto& s : report.categories) text += line(s.name, s);
  text += line("all questions (micro)", report.micro);
  text += line("all subjects (macro)", report.macro);
  text += fmt::format("ties {}, truncated prompts {}, joins encoded apart {}; answers {}\n", report.ties,
                      report.truncated, report.fallbacks, report.answers_hash);
  return text;
}

std::string to_json_text(const ExamReport& report) {
  const nlohmann::json json = {{"subjects", to_json(report.subjects)},
                               {"categories", to_json(report.categories)},
                               {"micro", to_json(report.micro)},
                               {"macro", to_json(report.macro)},
                               {"ties", report.ties},
                               {"truncated", report.truncated},
                               {"fallbacks", report.fallbacks},
                               {"answers_hash", report.answers_hash}};
  return json.dump();
}

std::string to_json_text(const Answer& a) {
  const nlohmann::json json = {{"subject", a.subject}, {"index", a.index},
                               {"scores", a.scores},   {"prediction", a.prediction()},
                               {"answer", a.answer},   {"correct", a.prediction() == a.answer},
                               {"tokens", a.tokens},   {"truncated", a.truncated},
                               {"tie", a.tie()},       {"fallback", a.fallback}};
  return json.dump();
}

}  // namespace trireme
