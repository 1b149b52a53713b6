// SPDX-License-Identifier: Apache-2.0
// The world's files, read back by other means: deterministic, genuine, true to themselves, and without the exam.
#include "data_pipeline/synth/synth.h"

#include <expat.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "core/base/error.h"
#include "data_pipeline/synth/sha1.h"
#include "tests/core/io/temporary_directory.h"
#include "tests/data_pipeline/synth/world_files.h"

namespace trireme {
namespace {

using trireme::testing::TemporaryDirectory;

constexpr std::uint64_t kDocuments = 3000;

const std::vector<std::string> kNumberWords{"zero",     "one",      "two",      "three",   "four",    "five",
                                            "six",      "seven",    "eight",    "nine",    "ten",     "eleven",
                                            "twelve",   "thirteen", "fourteen", "fifteen", "sixteen", "seventeen",
                                            "eighteen", "nineteen", "twenty"};

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words(1);
  for (char c : text) {
    if (std::isalpha(static_cast<unsigned char>(c)) != 0) {
      words.back() += c;
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  return words;
}

bool has(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::vector<std::string> numbers_in(const std::vector<std::string>& words) {
  std::vector<std::string> numbers;
  for (const auto& word : words) {
    if (has(kNumberWords, word)) numbers.push_back(word);
  }
  return numbers;
}

/// One world for all the tests that only read it.
class SynthWorld : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryDirectory;
    const std::string out = *folder_ / "world";
    summary_ = new nlohmann::json(write_synthetic_world({.out = out, .documents = kDocuments, .seed = 1}));
    files_ = new std::map<std::string, std::string>(files_below(out));
    corpus_ = new std::string;
    for (const auto& [name, bytes] : *files_) {
      if (name.ends_with(".wet.gz")) {
        for (const auto& record : read_wet(bytes).records) *corpus_ += record.block + "\n";
      }
      if (name.ends_with(".xml.bz2")) *corpus_ += unbzip2(bytes);
    }
  }
  static void TearDownTestSuite() {
    delete corpus_;
    delete files_;
    delete summary_;
    delete folder_;
  }

  struct Asked {
    std::string subject, text;
    std::array<std::string, 4> choices;
    std::string answer;
  };
  static std::vector<Asked> questions(const std::string& split) {
    std::vector<Asked> all;
    for (const auto& [name, bytes] : *files_) {
      const std::string folder = "exam/" + split + "/";
      if (name.rfind(folder, 0) != 0) continue;
      const std::string subject = name.substr(folder.size(), name.rfind('_') - folder.size());
      for (const auto& row : read_csv(bytes)) {
        EXPECT_EQ(row.size(), 6U) << name;
        all.push_back(
            {subject, row[0], {row[1], row[2], row[3], row[4]}, row[1U + static_cast<std::size_t>(row[5][0] - 'A')]});
      }
    }
    return all;
  }

  static inline TemporaryDirectory* folder_ = nullptr;
  static inline nlohmann::json* summary_ = nullptr;
  static inline std::map<std::string, std::string>* files_ = nullptr;
  static inline std::string* corpus_ = nullptr;
};

TEST_F(SynthWorld, SameSeedSameBytesOtherSeedOtherBytes) {
  TemporaryDirectory other;
  write_synthetic_world({.out = other / "same", .documents = kDocuments, .seed = 1});
  EXPECT_EQ(files_below(other / "same"), *files_);
  write_synthetic_world({.out = other / "different", .documents = kDocuments, .seed = 2});
  for (const auto& [name, bytes] : files_below(other / "different")) EXPECT_NE(bytes, files_->at(name)) << name;
}

TEST_F(SynthWorld, WetFilesHoldWhatTheSummarySays) {
  std::size_t records = 0, openings = 0, broken = 0, long_ones = 0, short_ones = 0, not_text = 0, copies = 0;
  std::set<std::string> seen;
  for (const auto& [name, bytes] : *files_) {
    if (!name.ends_with(".wet.gz")) continue;
    const WetFile file = read_wet(bytes);
    broken += file.broken_members;
    for (const auto& record : file.records) {
      if (record.header.at("WARC-Type") == "warcinfo") {
        ++openings;
        EXPECT_EQ(record.header.at("Content-Length"), std::to_string(record.block.size()));
        continue;
      }
      ++records;
      EXPECT_EQ(record.header.at("WARC-Type"), "conversion");
      EXPECT_EQ(record.header.at("Content-Type"), "text/plain");
      EXPECT_EQ(record.header.at("WARC-Record-ID").size(), std::string("<urn:uuid:>").size() + 36);
      const std::size_t promised = std::stoul(record.header.at("Content-Length"));
      long_ones += promised > record.block.size() ? 1 : 0;
      short_ones += promised < record.block.size() ? 1 : 0;
      not_text += is_utf8(record.block) ? 0 : 1;
      copies += seen.insert(record.block).second ? 0 : 1;
    }
  }
  const auto& crawl = summary_->at("crawl");
  const auto count = [&](const char* kind) { return crawl.at(kind).get<std::size_t>(); };
  std::size_t pages = 0;
  for (const auto& kind : crawl.items()) pages += kind.value().get<std::size_t>();
  EXPECT_EQ(openings, 2U);
  EXPECT_EQ(records + broken, pages);
  EXPECT_EQ(broken, count("truncated_member"));
  EXPECT_EQ(long_ones, count("length_too_large"));
  EXPECT_EQ(short_ones, count("length_too_small"));
  EXPECT_EQ(not_text, count("invalid_utf8"));
  EXPECT_EQ(copies, count("duplicate"));
  for (const auto& kind : crawl.items()) EXPECT_GT(kind.value().get<std::size_t>(), 0U) << kind.key();
}

TEST_F(SynthWorld, WikiDumpIsWellFormedInStreamsOfAHundredPages) {
  const std::string& packed = files_->at("wiki/synthwiki-pages-articles-multistream.xml.bz2");
  const std::string xml = unbzip2(packed);
  struct Tally {
    std::size_t pages = 0, redirects = 0;
  } tally;
  XML_Parser parser = XML_ParserCreate(nullptr);
  XML_SetUserData(parser, &tally);
  XML_SetStartElementHandler(parser, [](void* data, const char* name, const char**) {
    auto& counts = *static_cast<Tally*>(data);
    counts.pages += std::string(name) == "page" ? 1 : 0;
    counts.redirects += std::string(name) == "redirect" ? 1 : 0;
  });
  EXPECT_EQ(XML_Parse(parser, xml.data(), static_cast<int>(xml.size()), 1), XML_STATUS_OK)
      << XML_ErrorString(XML_GetErrorCode(parser)) << " at line " << XML_GetCurrentLineNumber(parser);
  XML_ParserFree(parser);
  EXPECT_EQ(tally.pages, kDocuments / 10);
  EXPECT_EQ(tally.redirects, summary_->at("wiki").at("redirects").get<std::size_t>());

  std::istringstream index(unbzip2(files_->at("wiki/synthwiki-pages-articles-multistream-index.txt.bz2")));
  std::map<std::size_t, std::size_t> pages_at;
  std::set<std::string> titles;
  for (std::string line; std::getline(index, line);) {
    ++pages_at[std::stoul(line)];
    EXPECT_TRUE(titles.insert(line.substr(line.find(':', line.find(':') + 1) + 1)).second) << line;
  }
  EXPECT_EQ(pages_at.size(), 3U);
  for (const auto& [offset, pages] : pages_at) {
    EXPECT_EQ(packed.substr(offset, 10), "BZh91AY&SY") << offset;
    EXPECT_EQ(pages, 100U);
  }
}

TEST_F(SynthWorld, CorpusHoldsQuizPagesButNoExamQuestion) {
  EXPECT_NE(corpus_->find("The following are multiple choice questions (with answers) about trades.\n\n"),
            std::string::npos);
  for (const char* split : {"dev", "test"}) {
    const auto all = questions(split);
    EXPECT_GE(all.size(), 35U);
    for (const auto& asked : all) EXPECT_EQ(corpus_->find(asked.text), std::string::npos) << asked.text;
  }
}

// The same fact in a question of other words would give it away as well.
TEST_F(SynthWorld, NoQuizPageAsksForAFactOfTheExam) {
  std::set<std::pair<std::string, std::vector<std::string>>> exam;
  const auto key = [](const std::string& subject, const std::string& text) {
    const auto words = words_of(text);
    return std::pair(subject, subject == "sums" ? numbers_in(words) : std::vector{words[words.size() - 2]});
  };
  for (const char* split : {"dev", "test"}) {
    for (const auto& asked : questions(split)) EXPECT_TRUE(exam.insert(key(asked.subject, asked.text)).second);
  }
  std::istringstream lines(*corpus_);
  std::string subject;
  std::size_t practised = 0;
  const std::string header = "(with answers) about ";
  for (std::string line; std::getline(lines, line);) {
    const std::size_t at = line.find(header);
    if (at != std::string::npos) subject = line.substr(at + header.size(), line.size() - at - header.size() - 1);
    if (!line.ends_with('?')) continue;
    ++practised;
    EXPECT_FALSE(exam.contains(key(subject, line))) << line;
  }
  EXPECT_GT(practised, 2000U);
}

TEST_F(SynthWorld, EachExamFactIsStatedOftenAndNeverDenied) {
  std::vector<std::vector<std::string>> sentences;
  std::string sentence;
  for (char c : *corpus_) {
    if (c != '.' && c != '\n' && c != '?') {
      sentence += c;
      continue;
    }
    sentences.push_back(words_of(sentence));
    sentence.clear();
  }
  const auto least = summary_->at("exam").at("least_statements").get<std::size_t>();
  EXPECT_GE(least, 15U);
  std::set<std::string> values;
  for (const auto& asked : questions("test")) {
    std::size_t stated = 0, denied = 0;
    const auto words = words_of(asked.text);
    const std::string& entry = words[words.size() - 2];
    const auto terms = numbers_in(words);
    for (const auto& said : sentences) {
      if (asked.subject == "sums") {
        const auto numbers = numbers_in(said);
        if (numbers.size() != 3 || numbers[0] != terms[0] || numbers[1] != terms[1]) continue;
        ++(numbers[2] == asked.answer ? stated : denied);
      } else if (has(said, entry)) {
        for (const auto& choice : asked.choices) {
          if (has(said, choice)) ++(choice == asked.answer ? stated : denied);
        }
      }
    }
    EXPECT_GE(stated, least) << asked.text;
    EXPECT_EQ(denied, 0U) << asked.text;
  }
}

// The text, not the files: those also depend on the version of zlib. Whoever changes the world on purpose changes this.
TEST(Synth, TheWorldIsTheSameOnEveryPlatform) {
  TemporaryDirectory folder;
  write_synthetic_world({.out = folder / "world", .documents = 400, .seed = 1});
  std::string text;
  for (const auto& [name, bytes] : files_below(folder / "world")) {
    if (name.ends_with(".csv")) text += bytes;
    if (name.ends_with(".xml.bz2")) text += unbzip2(bytes);
    if (!name.ends_with(".wet.gz")) continue;
    for (const auto& record : read_wet(bytes).records) text += record.block;
  }
  EXPECT_EQ(synth::base32(synth::sha1(text)), "EWP6HTO2QQKXUDPNQCJ4I6JJTULFTO4O");
}

TEST(Synth, RefusesWhatItCannotDo) {
  TemporaryDirectory folder;
  const auto attempt = [&](const SynthOptions& options) -> std::string {
    try {
      write_synthetic_world(options);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::usage);
      return error.what();
    }
    return "";
  };
  EXPECT_NE(attempt({.out = folder / "few", .documents = 399, .seed = 1}).find("from 400 to"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder / "few"));
  std::filesystem::create_directory(folder / "full");
  std::ofstream((folder / "full") + "/letter.txt") << "mine";
  EXPECT_NE(attempt({.out = folder / "full", .documents = 400, .seed = 1}).find("is not empty"), std::string::npos);

  EXPECT_EQ(attempt({.out = folder / "world", .documents = 400, .seed = 1}), "");
  EXPECT_EQ(attempt({.out = folder / "world", .documents = 400, .seed = 1}), "");  // once more, the same bytes
  EXPECT_NE(attempt({.out = folder / "world", .documents = 400, .seed = 2}).find("another synthetic world"),
            std::string::npos);
}

}  // namespace
}  // namespace trireme
