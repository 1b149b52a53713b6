// SPDX-License-Identifier: Apache-2.0
// MediaWiki dumps: plain, bzip2 in one stream and in many, damaged, hostile.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/data_pipeline/source/raw_bytes.h"

namespace trireme::testing {
namespace {

using Counts = std::map<std::string, std::uint64_t>;

std::vector<std::string> titles(const ReadAll& all) {
  std::vector<std::string> result;
  for (const auto& d : all.documents) {
    result.push_back(d.uri_or_title);
  }
  return result;
}

std::string dump(const std::string& pages) { return wiki_head() + pages + "</mediawiki>\n"; }

TEST(Wiki, EachReasonApart) {
  std::string other = wiki_page("Modul", 0, "return 1");
  other.replace(other.find("wikitext"), 8, "Scribunto");
  const auto all =
      read_bytes(dump(wiki_page("One", 0, "Text of '''one'''.") + wiki_page("Two", 0, "#REDIRECT [[One]]", true) +
                      wiki_page("Talk:One", 1, "chat") + wiki_page("WP:Two", 4, "#REDIRECT", true) + other +
                      wiki_page("Old", 0, " #redirect [[One]]") + wiki_page("Empty", 0, "{{stub}}")),
                 SourceKind::wiki);
  ASSERT_EQ(all.documents.size(), 1u);
  EXPECT_EQ(all.documents[0].uri_or_title, "One");
  EXPECT_EQ(all.documents[0].text, "Text of one.\n");
  EXPECT_EQ(all.documents[0].offset, wiki_head().size() + 2);
  EXPECT_EQ(all.counts.records, 7u);
  EXPECT_EQ(all.counts.skipped, (Counts{{"redirect", 2},
                                        {"redirect outside the article namespace", 1},
                                        {"namespace not 0", 1},
                                        {"content model not wikitext", 1},
                                        {"no text", 1}}));
  EXPECT_EQ(all.counts.dropped_templates, (Counts{{"stub", 1}}));
}

TEST(Wiki, EscapedMarkupAndNamespacesOfTheWiki) {
  const auto all = read_bytes(
      dump(wiki_page("A &amp; B", 0,
                     "x&lt;ref&gt;gone&lt;/ref&gt; [[Datei:a.jpg|thumb|gone]] &amp;ndash; [[Kategorie:gone]]y")),
      SourceKind::wiki);
  ASSERT_EQ(all.documents.size(), 1u);
  EXPECT_EQ(all.documents[0].uri_or_title, "A & B");
  EXPECT_EQ(all.documents[0].text, "x – y\n");
}

TEST(Wiki, Schema11KeepsTheMainSlot) {
  const std::string page =
      "<page><title>T</title><ns>0</ns><id>1</id><revision><id>5</id><origin>5</origin><model>wikitext</model>"
      "<format>text/x-wiki</format><text bytes=\"4\" sha1=\"x\" xml:space=\"preserve\">main</text><sha1>x</sha1>"
      "<content><role>extra</role><model>json</model><text>other</text></content></revision></page>";
  const auto all = read_bytes(dump(page), SourceKind::wiki);
  ASSERT_EQ(all.documents.size(), 1u);
  EXPECT_EQ(all.documents[0].text, "main\n");
}

TEST(Wiki, Utf16) {
  const std::string plain = "<?xml version=\"1.0\" encoding=\"UTF-16\"?>" + dump(wiki_page("T", 0, "text"));
  std::string wide = "\xff\xfe";
  for (const char c : plain) {
    wide += c;
    wide += '\0';
  }
  EXPECT_EQ(titles(read_bytes(wide, SourceKind::wiki)), (std::vector<std::string>{"T"}));
}

struct Multistream {
  std::vector<std::string> streams;
  std::string whole() const {
    std::string all;
    for (const auto& s : streams) {
      all += s;
    }
    return all;
  }
};

Multistream multistream(int count) {
  Multistream m;
  m.streams.push_back(bzip2(wiki_head()));
  for (int i = 0; i < count; ++i) {
    std::string pages;
    for (int j = 0; j < 10; ++j) {
      pages += wiki_page(fmt::format("P{}", i * 10 + j), 0, fmt::format("Text {} {}", i, std::string(200, 'x')));
    }
    m.streams.push_back(bzip2(pages));
  }
  m.streams.push_back(bzip2("</mediawiki>\n"));
  return m;
}

TEST(Wiki, ManyStreams) {
  const auto m = multistream(5);
  const auto all = read_bytes(m.whole(), SourceKind::wiki);
  EXPECT_EQ(all.documents.size(), 50u);
  EXPECT_EQ(all.documents[10].offset, m.streams[0].size() + m.streams[1].size());
  EXPECT_EQ(all.counts.total_failed(), 0u);
}

TEST(Wiki, DamagedStreamIsCountedAndTheNextOneRead) {
  auto m = multistream(5);
  std::string& third = m.streams[3];
  third[third.size() / 2] = static_cast<char>(third[third.size() / 2] ^ 0x10);
  const auto all = read_bytes(m.whole(), SourceKind::wiki);
  EXPECT_EQ(all.documents.size(), 40u);
  EXPECT_EQ(all.documents[20].uri_or_title, "P30");
  EXPECT_GE(all.counts.failed.at("bzip2: damaged stream"), 1u);
  for (const auto& d : all.documents) {
    EXPECT_TRUE(d.text.ends_with(std::string(200, 'x') + "\n"));
  }
}

// A bit anywhere in a stream: its pages are lost or right, never changed.
TEST(Wiki, FlippedBitsNeverChangeAPage) {
  const auto m = multistream(2);
  const auto good = read_bytes(m.whole(), SourceKind::wiki);
  std::map<std::string, std::string> text;
  for (const auto& d : good.documents) {
    text[d.uri_or_title] = d.text;
  }
  for (std::size_t i = 0; i < m.streams[1].size() * 8; i += 3) {
    auto bad = m;
    bad.streams[1][i / 8] = static_cast<char>(bad.streams[1][i / 8] ^ (1 << (i % 8)));
    const auto all = read_bytes(bad.whole(), SourceKind::wiki);
    EXPECT_GE(all.documents.size(), 10u) << i;
    EXPECT_EQ(all.documents.back().uri_or_title, "P19") << i;
    for (const auto& d : all.documents) {
      ASSERT_TRUE(text.contains(d.uri_or_title)) << i;
      EXPECT_EQ(text[d.uri_or_title], d.text) << i;
    }
  }
}

TEST(Wiki, TruncatedDump) {
  const auto m = multistream(3);
  const std::string whole = m.whole();
  const auto all = read_bytes(whole.substr(0, m.streams[0].size() + m.streams[1].size() + 100), SourceKind::wiki);
  EXPECT_EQ(all.documents.size(), 10u);
  EXPECT_EQ(all.counts.failed, (Counts{{"bzip2: truncated stream", 1}}));
  const std::string plain = dump(wiki_page("A", 0, "first") + wiki_page("B", 0, "second"));
  const auto cut = read_bytes(plain.substr(0, plain.find("second")), SourceKind::wiki);
  EXPECT_EQ(titles(cut), (std::vector<std::string>{"A"}));
  EXPECT_EQ(cut.counts.failed, (Counts{{"truncated page", 1}}));
}

TEST(Wiki, BadXmlLosesOnePage) {
  for (const char* bad : {"a < b", "</text></nope>", "&undefined;", "\x01", "\xff\xfe"}) {
    const auto all = read_bytes(dump(wiki_page("A", 0, "first") + wiki_page("B", 0, bad) + wiki_page("C", 0, "third")),
                                SourceKind::wiki);
    EXPECT_EQ(titles(all), (std::vector<std::string>{"A", "C"})) << bad;
    EXPECT_EQ(all.counts.total_failed(), 1u) << bad;
  }
}

TEST(Wiki, LongPageAndLongTag) {
  ReaderOptions options;
  options.kind = SourceKind::wiki;
  options.max_record_bytes = 1000;
  const auto all =
      read_bytes(dump(wiki_page("A", 0, std::string(1001, 'a')) + wiki_page("B", 0, std::string(1000, 'b'))), options);
  EXPECT_EQ(titles(all), (std::vector<std::string>{"B"}));
  EXPECT_EQ(all.counts.failed, (Counts{{"record longer than its limit", 1}}));
  const auto tag =
      read_bytes(dump("<page x=\"" + std::string(3u << 20, 'a') + "\"></page>" + wiki_page("C", 0, "c")), options);
  EXPECT_EQ(titles(tag), (std::vector<std::string>{"C"}));
  EXPECT_EQ(tag.counts.failed, (Counts{{"XML token longer than its limit", 1}}));
}

TEST(Wiki, EntityBombsAreRefused) {
  const std::string bomb =
      "<?xml version=\"1.0\"?><!DOCTYPE m [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]>" +
      dump(wiki_page("A", 0, "&b;") + wiki_page("B", 0, "fine"));
  const auto all = read_bytes(bomb, SourceKind::wiki);
  EXPECT_EQ(titles(all), (std::vector<std::string>{"B"}));
  EXPECT_EQ(all.counts.failed.at("XML with a document type"), 1u);
}

// Found by fuzzing: the parser refused each page again, for ever.
TEST(Wiki, UnknownEncoding) {
  const std::string file =
      "<?xml version=\"1.0\" encoding=\"ISO-8851-1\"?>" + dump(wiki_page("A", 0, "a") + wiki_page("B", 0, "b"));
  const auto all = read_bytes(file, SourceKind::wiki);
  EXPECT_EQ(titles(all), (std::vector<std::string>{"A", "B"}));
  EXPECT_EQ(all.counts.failed, (Counts{{"XML: unknown encoding", 1}}));
}

TEST(Wiki, DepthIsBounded) {
  std::string deep;
  for (int i = 0; i < 200; ++i) {
    deep += "<x>";
  }
  const auto all = read_bytes(dump("<page>" + deep + "</page>" + wiki_page("B", 0, "fine")), SourceKind::wiki);
  EXPECT_EQ(titles(all), (std::vector<std::string>{"B"}));
  EXPECT_EQ(all.counts.failed, (Counts{{"XML nested too deeply", 1}}));
}

}  // namespace
}  // namespace trireme::testing
