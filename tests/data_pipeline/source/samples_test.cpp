// SPDX-License-Identifier: Apache-2.0
// The readers on real files, with every count explained.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/data_pipeline/source/raw_bytes.h"

namespace trireme::testing {
namespace {

using Counts = std::map<std::string, std::uint64_t>;

class Samples : public ::testing::Test {
 protected:
  /// Options for a sample of which the kind follows from its name.
  ReaderOptions options(const std::string& name) {
    ReaderOptions result;
    result.file = sample(name);
    if (!result.file.empty()) {
      result.kind = guess_source_kind(result.file);
    }
    return result;
  }
};

#define SKIP_WITHOUT(options)                                             \
  if ((options).file.empty()) {                                           \
    GTEST_SKIP() << "no samples: set TRIREME_SAMPLES to their directory"; \
  }

std::set<std::string> words(const std::string& text) {
  std::istringstream in(text);
  std::set<std::string> result;
  for (std::string word; in >> word;) {
    result.insert(word);
  }
  return result;
}

/// LaTeX between dollars may hold braces of its own.
std::string without_formulas(const std::string& text) {
  std::string result;
  bool inside = false;
  for (const char c : text) {
    inside = c == '$' ? !inside : inside;
    result.append(inside ? 0 : 1, c);
  }
  return result;
}

TEST_F(Samples, WetOfOnePage) {
  for (const char* name : {"crawl/whirlwind.warc.wet.gz", "crawl/whirlwind.warc.wet"}) {
    auto o = options(name);
    SKIP_WITHOUT(o);
    const auto all = read_all(o);
    ASSERT_EQ(all.documents.size(), 1u) << name;
    EXPECT_EQ(all.documents[0].uri_or_title, "https://an.wikipedia.org/wiki/Escopete");
    EXPECT_TRUE(all.documents[0].text.starts_with("Escopete - Biquipedia, a enciclopedia libre\n"));
    EXPECT_EQ(all.counts.skipped, (Counts{{"type warcinfo", 1}}));
    EXPECT_EQ(all.counts.total_failed(), 0u);
  }
}

// Common Crawl's own extraction of the same page keeps menus too: our text must be nearly all found in theirs, and must
// hold the article's sentences.
TEST_F(Samples, HtmlTextAgreesWithCommonCrawls) {
  auto o = options("crawl/whirlwind.warc.gz");
  SKIP_WITHOUT(o);
  const auto warc = read_all(o);
  const auto wet = read_all(options("crawl/whirlwind.warc.wet.gz"));
  ASSERT_EQ(warc.documents.size(), 1u);
  ASSERT_EQ(wet.documents.size(), 1u);
  EXPECT_EQ(warc.counts.skipped, (Counts{{"type metadata", 1}, {"type request", 1}, {"type warcinfo", 1}}));
  const auto ours = words(warc.documents[0].text);
  const auto theirs = words(wet.documents[0].text);
  std::vector<std::string> common;
  std::set_intersection(ours.begin(), ours.end(), theirs.begin(), theirs.end(), std::back_inserter(common));
  EXPECT_GE(static_cast<double>(common.size()), 0.9 * static_cast<double>(ours.size()));
  EXPECT_GE(static_cast<double>(common.size()), 0.4 * static_cast<double>(theirs.size()));
  EXPECT_NE(warc.documents[0].text.find("Escopete"), std::string::npos);
  EXPECT_EQ(warc.documents[0].text.find("Modificar os enlaces"), std::string::npos) << "a menu was kept";
}

// 48 records: 22 requests, 22 responses of which all are HTML, warcinfo, metadata, and two resources that are text.
TEST_F(Samples, ResearchCrawl) {
  auto o = options("crawl/dolma-sample-0000.warc.gz");
  SKIP_WITHOUT(o);
  const auto all = read_all(o);
  EXPECT_EQ(all.counts.records, 48u);
  EXPECT_EQ(all.counts.total_failed(), 0u);
  EXPECT_EQ(all.counts.skipped.at("type request"), 22u);
  EXPECT_EQ(all.counts.skipped.at("type warcinfo"), 1u);
  EXPECT_EQ(all.counts.skipped.at("type metadata"), 1u);
  EXPECT_EQ(all.counts.skipped.at("not HTML"), 2u);
  for (const auto& d : all.documents) {
    EXPECT_TRUE(d.uri_or_title.starts_with("http")) << d.uri_or_title;  // the angle brackets are gone
    EXPECT_EQ(d.text.find("</"), std::string::npos) << d.uri_or_title;
  }
}

TEST_F(Samples, SingleMember) {
  auto o = options("crawl/jwarc-cc.warc.gz");
  SKIP_WITHOUT(o);
  const auto all = read_all(o);
  EXPECT_EQ(all.counts.records, 1u);
  EXPECT_EQ(all.counts.documents, 1u) << all.counts.skipped.size();
}

TEST_F(Samples, OddWarcFiles) {
  auto good = options("crawl/warcio-example.warc.gz");
  SKIP_WITHOUT(good);
  const auto all = read_all(good);
  EXPECT_EQ(all.counts.records, 6u);
  EXPECT_EQ(all.counts.total_failed(), 0u);

  // Its response is two bytes longer than its Content-Length, as in CC-MAIN-2018-34: the page is whole.
  const auto shortened = read_all(options("crawl/warcio-example-trunc.warc"));
  EXPECT_EQ(shortened.counts.noted, (Counts{{"Content-Length two bytes short", 1}}));
  ASSERT_EQ(shortened.documents.size(), 1u);
  EXPECT_EQ(shortened.documents[0].text, all.documents.at(0).text);

  // All six records in one gzip member.
  ReaderOptions one_member = good;
  one_member.file = sample("crawl/warcio-example-bad.warc.gz.bad");
  const auto single = read_all(one_member);
  EXPECT_EQ(single.counts.records, 6u);
  EXPECT_EQ(single.counts.total_failed(), 0u);

  ReaderOptions arc = good;
  arc.file = sample("crawl/warcio-example.arc.gz");
  const auto old = read_all(arc);
  EXPECT_EQ(old.counts.failed, (Counts{{"ARC 1.0 file: convert it to WARC", 1}}));
  EXPECT_TRUE(old.documents.empty());
}

// 206 pages: 106 articles and 100 redirects, one of these outside the article namespace.
TEST_F(Samples, EnglishWiki) {
  auto o = options("wiki/gensim-enwiki-latest-pages-articles1-shortened.xml.bz2");
  SKIP_WITHOUT(o);
  const auto all = read_all(o);
  EXPECT_EQ(all.counts.records, 206u);
  EXPECT_EQ(all.documents.size(), 106u);
  EXPECT_EQ(all.counts.skipped, (Counts{{"redirect", 99}, {"redirect outside the article namespace", 1}}));
  EXPECT_EQ(all.counts.total_failed(), 0u);
  EXPECT_EQ(all.documents[0].uri_or_title, "Anarchism");
  EXPECT_TRUE(
      all.documents[0].text.starts_with("Anarchism is a political philosophy that advocates self-governed "
                                        "societies based on voluntary institutions."))
      << all.documents[0].text.substr(0, 300);
  for (const auto& d : all.documents) {
    const std::string text = without_formulas(d.text);
    for (const char* markup : {"[[", "]]", "{{", "}}", "<ref", "'''", "{|"}) {
      EXPECT_EQ(text.find(markup), std::string::npos) << d.uri_or_title << " keeps " << markup;
    }
  }
  EXPECT_GT(all.counts.dropped_templates.at("cite web"), 0u);
}

TEST_F(Samples, TinyWiki) {
  auto o = options("wiki/dumpster-dive-tinywiki-latest-pages-articles.xml");
  SKIP_WITHOUT(o);
  const auto all = read_all(o);
  EXPECT_EQ(all.counts.records, 8u);
  EXPECT_EQ(all.counts.total_failed(), 0u);
}

TEST_F(Samples, JsonLines) {
  auto o = options("text/dolma-cc_en_head-0091.jsonl.gz");
  SKIP_WITHOUT(o);
  const auto all = read_all(o);
  EXPECT_EQ(all.counts.records, all.counts.documents);
  EXPECT_TRUE(all.documents[0].uri_or_title.starts_with("http://100kinvesting.com/"));
  auto z = options("text/dolma-test.jsonl.zst");
  EXPECT_EQ(read_all(z).counts.failed, (Counts{{"text field missing", 1}}));
  z.json_text_field = "message";
  const auto message = read_all(z);
  ASSERT_EQ(message.documents.size(), 1u);
  EXPECT_EQ(message.documents[0].text, "this is a test");
}

TEST_F(Samples, Novel) {
  auto o = options("text/spm-botchan.txt");
  SKIP_WITHOUT(o);
  const auto whole = read_all(o);
  ASSERT_EQ(whole.documents.size(), 1u);
  EXPECT_GT(whole.documents[0].text.size(), 270'000u);
  // It has no blank line: asked for paragraphs, it is still one document.
  o.blank_lines_separate = true;
  EXPECT_EQ(read_all(o).documents.size(), 1u);
}

}  // namespace
}  // namespace trireme::testing
