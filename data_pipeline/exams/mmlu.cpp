// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/exams/mmlu.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "core/base/error.h"
#include "core/io/atomic_file.h"
#include "core/io/json.h"
#include "data_pipeline/exams/csv.h"
#include "data_pipeline/exams/text.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;
using Splits = std::map<std::string, std::vector<Question>>;  // by subject

constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 30U;

std::int64_t letter_index(std::string_view letter, std::size_t choices, const std::string& where) {
  const bool known = letter.size() == 1 && letter[0] >= 'A' && static_cast<std::size_t>(letter[0] - 'A') < choices;
  check(known, "{}: the answer is '{}'; expected a letter from A to {}", where, letter,
        static_cast<char>('A' + static_cast<char>(choices) - 1));
  return letter[0] - 'A';
}

std::vector<Question> read_csv_file(const fs::path& path) {
  std::vector<Question> questions;
  for (auto& row : parse_csv(read_file(path, kMaxBytes), path)) {
    const auto where = fmt::format("{}:{}", path.string(), row.line);
    check(row.fields.size() >= 4 && row.fields.size() <= 28, "{}: {} fields; expected question, choices, letter", where,
          row.fields.size());
    Question q;
    q.answer = letter_index(strip(row.fields.back()), row.fields.size() - 2, where);
    q.text = std::move(row.fields.front());
    q.choices.assign(std::make_move_iterator(row.fields.begin() + 1), std::make_move_iterator(row.fields.end() - 1));
    questions.push_back(std::move(q));
  }
  check(!questions.empty(), "{} holds no question", path.string());
  return questions;
}

Splits read_csv_split(const fs::path& folder, const std::string& split) {
  Splits found;
  const auto suffix = "_" + split + ".csv";
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto name = entry.path().filename().string();
    if (!name.ends_with(suffix)) continue;
    found[name.substr(0, name.size() - suffix.size())] = read_csv_file(entry.path());
  }
  check(!found.empty(), "no file SUBJECT{} in {}", suffix, folder.string());
  return found;
}

Question read_json_question(const nlohmann::json& line, const std::string& where) {
  Question q;
  q.text = json_text(line, "question", where);
  for (const auto& choice : json_array(line, "choices", where)) {
    check(choice.is_string(), "{}: a choice that is no string", where);
    q.choices.push_back(choice.get<std::string>());
  }
  check(q.choices.size() >= 2 && q.choices.size() <= 26, "{}: {} choices; expected 2 to 26", where, q.choices.size());
  const auto answer = line.find("answer");
  check(answer != line.end(), "{}: no 'answer'", where);
  q.answer = answer->is_string() ? letter_index(answer->get<std::string>(), q.choices.size(), where)
                                 : static_cast<std::int64_t>(json_size(line, "answer", where));
  check(q.answer < static_cast<std::int64_t>(q.choices.size()), "{}: answer {} of {} choices", where, q.answer,
        q.choices.size());
  return q;
}

Splits read_jsonl_split(const fs::path& path) {
  Splits found;
  const auto text = read_file(path, kMaxBytes);
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find('\n', begin), text.size());
    const auto line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (strip(line).empty()) continue;
    const auto where = fmt::format("{}:{}", path.string(), number);
    const auto object = parse_json(line, where);
    found[json_text(object, "subject", where)].push_back(read_json_question(object, where));
  }
  check(!found.empty(), "{} holds no question", path.string());
  return found;
}

/// The split from whichever layout is there; nothing when none is.
Splits read_split(const fs::path& folder, const std::string& split, const std::string& suffix) {
  if (fs::is_directory(folder / split)) return read_csv_split(folder / split, suffix);
  if (fs::is_regular_file(folder / (split + ".jsonl"))) return read_jsonl_split(folder / (split + ".jsonl"));
  return {};
}

constexpr std::array kStem = {"abstract_algebra",         "astronomy",
                              "college_biology",          "college_chemistry",
                              "college_computer_science", "college_mathematics",
                              "college_physics",          "computer_security",
                              "conceptual_physics",       "electrical_engineering",
                              "elementary_mathematics",   "high_school_biology",
                              "high_school_chemistry",    "high_school_computer_science",
                              "high_school_mathematics",  "high_school_physics",
                              "high_school_statistics",   "machine_learning"};
constexpr std::array kHumanities = {"formal_logic",
                                    "high_school_european_history",
                                    "high_school_us_history",
                                    "high_school_world_history",
                                    "international_law",
                                    "jurisprudence",
                                    "logical_fallacies",
                                    "moral_disputes",
                                    "moral_scenarios",
                                    "philosophy",
                                    "prehistory",
                                    "professional_law",
                                    "world_religions"};
constexpr std::array kSocial = {"econometrics",
                                "high_school_geography",
                                "high_school_government_and_politics",
                                "high_school_macroeconomics",
                                "high_school_microeconomics",
                                "high_school_psychology",
                                "human_sexuality",
                                "professional_psychology",
                                "public_relations",
                                "security_studies",
                                "sociology",
                                "us_foreign_policy"};
constexpr std::array kOther = {"anatomy",
                               "business_ethics",
                               "clinical_knowledge",
                               "college_medicine",
                               "global_facts",
                               "human_aging",
                               "management",
                               "marketing",
                               "medical_genetics",
                               "miscellaneous",
                               "nutrition",
                               "professional_accounting",
                               "professional_medicine",
                               "virology"};

template <std::size_t N>
bool holds(const std::array<const char*, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

Exam load_mmlu(const std::string& folder) {
  check_usage(fs::is_directory(folder), "no exam folder {}; expected {}/test/SUBJECT_test.csv or {}/test.jsonl", folder,
              folder, folder);
  Exam exam;
  Splits test;
  for (const auto& [split, suffix] :
       {std::pair<const char*, const char*>{"test", "test"}, {"val", "val"}, {"validation", "validation"}}) {
    test = read_split(folder, split, suffix);
    exam.split = split;
    if (!test.empty()) break;
  }
  check(!test.empty(), "{} has neither a test nor a validation split; expected test/SUBJECT_test.csv or test.jsonl",
        folder);
  auto dev = read_split(folder, "dev", "dev");
  for (auto& [name, questions] : test) {
    exam.subjects.push_back({name, std::move(dev[name]), std::move(questions)});
  }
  return exam;
}

std::string_view category_of(std::string_view subject, CategoryMap map) {
  if (subject == "anatomy" && map == CategoryMap::harness) return "STEM";
  if (holds(kStem, subject)) return "STEM";
  if (holds(kHumanities, subject)) return "humanities";
  if (holds(kSocial, subject)) return "social sciences";
  if (holds(kOther, subject)) return "other";
  return "uncategorised";
}

namespace {

/// The question with lettered choices, up to and with "Answer:". The question is stripped, the choices are not.
std::string question_text(const Question& question) {
  auto text = std::string(strip(question.text)) + "\n";
  for (std::size_t i = 0; i < question.choices.size(); ++i) {
    text += fmt::format("{}. {}\n", static_cast<char>('A' + static_cast<char>(i)), question.choices[i]);
  }
  return text + "Answer:";
}

}  // namespace

std::string mmlu_prompt(const Subject& subject, const Question& question, std::int64_t shots) {
  auto spaced = subject.name;
  std::replace(spaced.begin(), spaced.end(), '_', ' ');
  auto prompt = fmt::format("The following are multiple choice questions (with answers) about {}.\n\n", spaced);
  check_usage(shots <= static_cast<std::int64_t>(subject.dev.size()),
              "{} shots asked for, but the dev split of {} has {} questions", shots, subject.name, subject.dev.size());
  for (std::int64_t i = 0; i < shots; ++i) {
    const auto& example = subject.dev[static_cast<std::size_t>(i)];
    prompt += fmt::format("{} {}\n\n", question_text(example), static_cast<char>('A' + example.answer));
  }
  return prompt + question_text(question);
}

std::vector<std::string> mmlu_continuations(const Question& question) {
  std::vector<std::string> letters;
  for (std::size_t i = 0; i < question.choices.size(); ++i) {
    letters.push_back({' ', static_cast<char>('A' + static_cast<char>(i))});
  }
  return letters;
}

}  // namespace trireme
