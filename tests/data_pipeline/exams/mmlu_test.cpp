// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/exams/mmlu.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/base/error.h"
#include "data_pipeline/exams/report.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;
const std::string kGolden = std::string(TRIREME_SOURCE_DIR) + "/tests/golden/exam";

nlohmann::json golden() {
  std::ifstream in(kGolden + "/golden.json");
  return nlohmann::json::parse(in);
}

std::string samples() {
  const auto* folder = std::getenv("TRIREME_SAMPLES");
  return folder != nullptr ? folder : std::string(TRIREME_SOURCE_DIR) + "/../shared/samples";
}

TEST(Mmlu, PromptsAreTheHarnesssByteForByte) {
  const auto exam = load_mmlu(kGolden);
  ASSERT_EQ(exam.subjects.size(), 2U);
  EXPECT_EQ(exam.split, "test");
  std::size_t compared = 0;
  const auto all = golden();
  for (const auto& g : all["prompts"]) {
    const auto& subject = exam.subjects[g["subject"] == "tides" ? 1 : 0];
    ASSERT_EQ(subject.name, g["subject"]);
    EXPECT_EQ(mmlu_prompt(subject, subject.test.at(g["index"].get<std::size_t>()), g["shots"].get<int>()), g["prompt"]);
    ++compared;
  }
  EXPECT_EQ(compared, 8U);
  EXPECT_EQ(mmlu_continuations(exam.subjects[0].test[0]), (std::vector<std::string>{" A", " B", " C", " D"}));
  EXPECT_THROW(mmlu_prompt(exam.subjects[0], exam.subjects[0].test[0], 3), Error);
}

TEST(Mmlu, JsonLinesAndCsvAreTheSameExam) {
  const auto folder = fs::temp_directory_path() / "trireme_mmlu_test";
  fs::create_directories(folder);
  const auto csv = load_mmlu(kGolden);
  std::ofstream dev(folder / "dev.jsonl");
  std::ofstream validation(folder / "validation.jsonl");
  for (const auto& s : csv.subjects) {
    const auto line = [&](const Question& q, bool letter) {
      nlohmann::json j = {{"subject", s.name}, {"question", q.text}, {"choices", q.choices}, {"answer", q.answer}};
      if (letter) j["answer"] = std::string(1, static_cast<char>('A' + q.answer));
      return j.dump() + "\n";
    };
    for (const auto& q : s.dev) dev << line(q, false);
    for (const auto& q : s.test) validation << line(q, true);
  }
  dev.close();
  validation.close();
  const auto json = load_mmlu(folder);
  EXPECT_EQ(json.split, "validation");
  ASSERT_EQ(json.subjects.size(), csv.subjects.size());
  for (std::size_t i = 0; i < csv.subjects.size(); ++i) {
    ASSERT_EQ(json.subjects[i].test.size(), csv.subjects[i].test.size());
    for (std::size_t k = 0; k < csv.subjects[i].test.size(); ++k) {
      const auto& a = csv.subjects[i].test[k];
      const auto& b = json.subjects[i].test[k];
      EXPECT_EQ(a.text, b.text);
      EXPECT_EQ(a.choices, b.choices);
      EXPECT_EQ(a.answer, b.answer);
    }
  }
  fs::remove_all(folder);
}

TEST(Mmlu, RefusesWhatIsNoExam) {
  const auto folder = fs::temp_directory_path() / "trireme_mmlu_bad";
  const auto load = [&](const std::string& name, const std::string& content) {
    fs::remove_all(folder);
    fs::create_directories((folder / name).parent_path());
    std::ofstream(folder / name) << content;
    return load_mmlu(folder);
  };
  const std::string json = R"({"subject": "s", "question": "q", "choices": )";
  EXPECT_THROW(load_mmlu((folder / "absent").string()), Error);
  EXPECT_THROW(load("test/a_test.csv", "q,a,b,c,d,E\n"), Error);
  EXPECT_THROW(load("test/a_test.csv", "q,A\n"), Error);
  EXPECT_THROW(load("test/a_test.csv", ""), Error);
  EXPECT_THROW(load("test/other.txt", "x"), Error);
  EXPECT_THROW(load("test.jsonl", json + R"(["a", "b"], "answer": 2})"), Error);
  EXPECT_THROW(load("test.jsonl", json + R"([1, 2], "answer": 0})"), Error);
  EXPECT_THROW(load("test.jsonl", "not json"), Error);
  EXPECT_NO_THROW(load("test.jsonl", json + R"(["a", "b"], "answer": "B"})"));
  EXPECT_NO_THROW(load("test/a_test.csv", "q,a,b,c,d,D\n"));
  fs::remove_all(folder);
}

TEST(Mmlu, CategoriesHoldTheFiftySevenSubjects) {
  EXPECT_EQ(category_of("anatomy", CategoryMap::hendrycks), "other");
  EXPECT_EQ(category_of("anatomy", CategoryMap::harness), "STEM");
  EXPECT_EQ(category_of("harbour_trades", CategoryMap::harness), "uncategorised");
  if (!fs::exists(samples() + "/exams/mmlu")) GTEST_SKIP() << "no samples at " << samples();
  const auto exam = load_mmlu(samples() + "/exams/mmlu");
  std::map<std::string, int> counts;
  std::size_t questions = 0;
  for (const auto& s : exam.subjects) {
    ++counts[std::string(category_of(s.name, CategoryMap::hendrycks))];
    questions += s.test.size();
    EXPECT_EQ(s.dev.size(), 5U) << s.name;
  }
  EXPECT_EQ(exam.subjects.size(), 57U);
  EXPECT_EQ(questions, 1531U);
  EXPECT_EQ(counts,
            (std::map<std::string, int>{{"STEM", 18}, {"humanities", 13}, {"other", 14}, {"social sciences", 12}}));
}

TEST(Mmlu, ReadsTheOriginalLayout) {
  if (!fs::exists(samples() + "/exams/mmlu_csv")) GTEST_SKIP() << "no samples at " << samples();
  const auto exam = load_mmlu(samples() + "/exams/mmlu_csv");
  std::map<std::string, std::size_t> counts;
  for (const auto& s : exam.subjects) counts[s.name] = s.test.size();
  // The published sizes of these subjects' test split.
  EXPECT_EQ(counts, (std::map<std::string, std::size_t>{{"abstract_algebra", 100},
                                                        {"anatomy", 135},
                                                        {"high_school_european_history", 165},
                                                        {"machine_learning", 112},
                                                        {"marketing", 234},
                                                        {"moral_scenarios", 895},
                                                        {"professional_law", 1534},
                                                        {"world_religions", 171}}));
}

TEST(Report, MeansAndErrorsAreTheTextbooks) {
  const auto g = golden();
  std::vector<Answer> answers;
  for (const auto& [subject, values] : g["right"].items()) {
    std::int64_t index = 0;
    for (const int right : values) {
      answers.push_back({subject, index++, {-1.0, -2.0, -3.0, -4.0}, right == 1 ? 0 : 2, 10, false, false});
    }
  }
  const auto report = report_of(answers);
  for (const auto& s : report.subjects) {
    EXPECT_NEAR(s.accuracy, g["scores"][s.name][0].get<double>(), 1e-12);
    EXPECT_NEAR(s.error, g["scores"][s.name][1].get<double>(), 1e-12);
  }
  EXPECT_NEAR(report.micro.accuracy, g["micro"][0].get<double>(), 1e-12);
  EXPECT_NEAR(report.micro.error, g["micro"][1].get<double>(), 1e-12);
  EXPECT_NEAR(report.macro.accuracy, g["macro"][0].get<double>(), 1e-12);
  EXPECT_NEAR(report.macro.error, g["macro"][1].get<double>(), 1e-12);
}

TEST(Report, CountsTiesAndFlagsAndHashesAnswersWhateverTheirOrder) {
  std::vector<Answer> answers = {{"a", 0, {-1, -1, -2, -3}, 0, 5, true, false}, {"b", 0, {-3, -2}, 1, 5, false, true}};
  const auto one = report_of(answers);
  EXPECT_EQ(one.ties, 1);
  EXPECT_EQ(one.truncated, 1);
  EXPECT_EQ(one.fallbacks, 1);
  EXPECT_EQ(one.micro.accuracy, 1.0);
  std::swap(answers[0], answers[1]);
  EXPECT_EQ(report_of(answers).answers_hash, one.answers_hash);
  answers[0].scores = {-1, -2};
  EXPECT_NE(report_of(answers).answers_hash, one.answers_hash);
  EXPECT_EQ(nlohmann::json::parse(to_json_text(one))["micro"]["accuracy"], 1.0);
  EXPECT_NE(to_table(one, "exam").find("all questions (micro)"), std::string::npos);
}

}  // namespace
}  // namespace trireme
