// SPDX-License-Identifier: Apache-2.0
// The world through the project's own readers: every damaged record is met and counted, everything else arrives.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <filesystem>

#include "data_pipeline/source/reader.h"
#include "data_pipeline/synth/synth.h"
#include "tests/core/io/temporary_directory.h"

namespace trireme {
namespace {

ReadCounts read_all(const std::string& file, std::vector<Document>& documents) {
  ReaderOptions options;
  options.file = file;
  options.kind = guess_source_kind(file);
  const auto reader = open_reader(options);
  for (Document document; reader->next(document);) documents.push_back(document);
  return reader->counts();
}

TEST(SynthReaders, DamageIsCountedAndTheRestArrives) {
  testing::TemporaryDirectory folder;
  const auto summary = write_synthetic_world({.out = folder / "world", .documents = 3000, .seed = 1});
  const auto& crawl = summary.at("crawl");
  std::uint64_t pages = 0;
  for (const auto& kind : crawl.items()) pages += kind.value().get<std::uint64_t>();

  std::vector<Document> texts;
  ReadCounts counts;
  for (const auto& file : std::filesystem::directory_iterator(folder / "world/crawl")) {
    counts.merge(read_all(file.path().string(), texts));
  }
  std::uint64_t damaged = 0;
  for (const char* kind : {"truncated_member", "length_too_large", "length_too_small", "invalid_utf8"}) {
    damaged += crawl.at(kind).get<std::uint64_t>();
  }
  EXPECT_EQ(counts.total_skipped(), 2U);  // the warcinfo records
  EXPECT_EQ(counts.total_failed(), damaged);
  EXPECT_EQ(texts.size(), pages - damaged);

  std::vector<Document> articles;
  const ReadCounts wiki = read_all(folder / "world/wiki/synthwiki-pages-articles-multistream.xml.bz2", articles);
  const auto& told = summary.at("wiki");
  EXPECT_EQ(articles.size(), told.at("articles").get<std::uint64_t>());
  EXPECT_EQ(wiki.total_skipped(),
            told.at("redirects").get<std::uint64_t>() + told.at("other_namespaces").get<std::uint64_t>());
  EXPECT_EQ(wiki.total_failed(), 0U);
  for (const Document& article : articles) {
    EXPECT_NE(article.text.find(article.uri_or_title), std::string::npos);
    EXPECT_EQ(article.text.find_first_of("{}[]<>"), std::string::npos) << article.text;
    EXPECT_NE(article.text.find(" hearths nearby."), std::string::npos);  // numbers in templates are kept
    EXPECT_EQ(article.text.find("counted  hearths"), std::string::npos) << article.text;
  }
}

}  // namespace
}  // namespace trireme
