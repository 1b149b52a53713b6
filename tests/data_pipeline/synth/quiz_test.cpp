// SPDX-License-Identifier: Apache-2.0
// The exam gives nothing away: balanced letters, and at chance for whoever has not learned the facts.
#include "data_pipeline/synth/quiz.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "data_pipeline/synth/world.h"

namespace trireme::synth {
namespace {

constexpr std::size_t kDocuments = 30000;

std::vector<ExamQuestion> whole_exam(const World& world) {
  std::vector<ExamQuestion> all;
  for (std::size_t s = 0; s < world.subjects.size(); ++s) {
    for (auto& asked : test_questions(world, s)) all.push_back(std::move(asked));
  }
  return all;
}

TEST(Exam, LettersAreBalancedInEachSubject) {
  for (std::uint64_t seed : {1U, 2U, 3U}) {
    const World world(seed, kDocuments);
    for (std::size_t s = 0; s < world.subjects.size(); ++s) {
      std::array<std::size_t, 4> letters{};
      for (const auto& asked : test_questions(world, s)) ++letters[asked.answer];
      EXPECT_GT(letters[0], 0U);
      EXPECT_EQ(letters, (std::array{letters[0], letters[0], letters[0], letters[0]})) << world.subjects[s].name;
      EXPECT_EQ(dev_questions(world, s).size(), 5U);
    }
  }
}

TEST(Exam, ChoicesAreFourDifferentOnesAndTheAnswerIsTrue) {
  const World world(1, kDocuments);
  for (const auto& asked : whole_exam(world)) {
    EXPECT_EQ((std::set<std::string>(asked.choices.begin(), asked.choices.end()).size()), 4U) << asked.text;
    EXPECT_EQ(asked.choices[asked.answer], world.value(asked.fact));
  }
}

// Any rule that sees the choices alone takes the same one in the four questions of a block, and is right in one.
TEST(Exam, ARuleThatPrefersSomeChoicesScoresExactlyAQuarter) {
  const World world(1, kDocuments);
  const auto exam = whole_exam(world);
  for (std::uint64_t rule = 0; rule < 20; ++rule) {
    std::map<std::string, std::uint64_t> liking;
    Draws draws(rule, "liking");
    std::size_t right = 0;
    for (const auto& asked : exam) {
      std::size_t best = 0;
      for (std::size_t c = 0; c < 4; ++c) {
        liking.try_emplace(asked.choices[c], draws.below(1'000'000'007));
        if (liking[asked.choices[c]] > liking[asked.choices[best]]) best = c;
      }
      right += best == asked.answer ? 1 : 0;
    }
    EXPECT_EQ(4 * right, exam.size());
  }
}

/// A naive Bayes reader of quiz pages: which words of questions go with which letter and which right choice.
class BagOfWords {
 public:
  void read(const std::string& text, const std::array<std::string, 4>& choices, std::size_t answer) {
    for (const std::string& word : words(text)) {
      letters_[word][answer] += 1;
      ++chosen_[word + '/' + choices[answer]];
      for (const auto& choice : choices) ++offered_[word + '/' + choice];
    }
  }

  std::size_t answer(const ExamQuestion& asked) const {
    std::array<double, 4> score{};
    for (const std::string& word : words(asked.text)) {
      const auto counts = letters_.find(word);
      for (std::size_t c = 0; c < 4; ++c) {
        if (counts != letters_.end()) score[c] += std::log(counts->second[c] + 1.0);
        const std::string pair = word + '/' + asked.choices[c];
        const auto offered = offered_.find(pair);
        const auto chosen = chosen_.find(pair);
        const double right = chosen == chosen_.end() ? 0.0 : chosen->second;
        score[c] += std::log((right + 1.0) / ((offered == offered_.end() ? 0.0 : offered->second) + 4.0));
      }
    }
    return static_cast<std::size_t>(std::max_element(score.begin(), score.end()) - score.begin());
  }

  static std::vector<std::string> words(const std::string& text) {
    std::istringstream in(text.substr(0, text.find('?')));
    std::vector<std::string> all;
    for (std::string word; in >> word;) all.push_back(word);
    return all;
  }

 private:
  std::map<std::string, std::array<double, 4>> letters_;
  std::map<std::string, double> chosen_, offered_;
};

TEST(Exam, AReaderOfQuizPagesByTheirWordsAloneStaysAtChance) {
  std::size_t right = 0;
  std::size_t asked_in_all = 0;
  for (std::uint64_t seed : {1U, 2U, 3U, 4U}) {
    const World world(seed, kDocuments);
    BagOfWords reader;
    for (std::size_t page = 0; page < 7000; ++page) {
      Draws draws(seed, "quiz test", page);
      std::istringstream lines(quiz_page(world, page % world.subjects.size(), draws));
      std::string text;
      std::array<std::string, 4> choices;
      for (std::string line; std::getline(lines, line);) {
        if (line.ends_with('?')) text = line;
        if (line.size() > 3 && line[1] == '.') choices[static_cast<std::size_t>(line[0] - 'A')] = line.substr(3);
        if (line.rfind("Answer: ", 0) == 0) reader.read(text, choices, static_cast<std::size_t>(line[8] - 'A'));
      }
    }
    for (const auto& asked : whole_exam(world)) right += reader.answer(asked) == asked.answer ? 1 : 0;
    asked_in_all += whole_exam(world).size();
  }
  // Binomial: the standard deviation of the share is sqrt(0.25 * 0.75 / n), about 1.5 % of 832 questions.
  const double share = static_cast<double>(right) / static_cast<double>(asked_in_all);
  EXPECT_NEAR(share, 0.25, 4 * std::sqrt(0.1875 / static_cast<double>(asked_in_all)));
}

TEST(Exam, CsvQuotesWhatNeedsIt) {
  const ExamQuestion asked{.fact = {}, .text = "One, or \"two\"?", .choices = {"a", "b", "c,d", "e"}, .answer = 2};
  EXPECT_EQ(exam_csv({asked}), "\"One, or \"\"two\"\"?\",a,b,\"c,d\",e,C\n");
}

}  // namespace
}  // namespace trireme::synth
