// SPDX-License-Identifier: Apache-2.0
// Work units: together they give the documents of the whole file, in order, for every target size.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "data_pipeline/source/input_file.h"
#include "tests/data_pipeline/source/raw_bytes.h"

namespace trireme::testing {
namespace {

struct Doc {
  std::string text, name;
  std::uint64_t offset;
  bool operator==(const Doc&) const = default;
};

std::vector<Doc> docs(const ReadAll& all) {
  std::vector<Doc> result;
  for (const auto& d : all.documents) {
    result.push_back({d.text, d.uri_or_title, d.offset});
  }
  return result;
}

/// Reads `bytes` whole and in units of each target; returns the largest number of units.
std::size_t expect_same_in_units(const std::string& bytes, ReaderOptions options) {
  const auto file = InputFile::from_memory("memory", bytes);
  const auto whole = read_bytes(bytes, options);
  EXPECT_FALSE(whole.documents.empty());
  std::size_t most = 0;
  for (std::uint64_t target : {1u, 37u, 100u, 1000u, 5000u, 1u << 20}) {
    const auto units = split(*file, options.kind, target, options.blank_lines_separate);
    EXPECT_EQ(units, split(*file, options.kind, target, options.blank_lines_separate));
    ReadAll joined;
    std::uint64_t next = 0;
    for (const WorkUnit& unit : units) {
      EXPECT_EQ(unit.begin, next);
      EXPECT_LT(unit.begin, unit.end);
      next = unit.end;
      options.begin = unit.begin;
      options.end = unit.end;
      auto part = read_bytes(bytes, options);
      joined.documents.insert(joined.documents.end(), part.documents.begin(), part.documents.end());
      joined.counts.merge(part.counts);
    }
    EXPECT_EQ(next, bytes.size());
    EXPECT_EQ(docs(joined), docs(whole)) << "target " << target;
    EXPECT_EQ(joined.counts.records, whole.counts.records);
    EXPECT_EQ(joined.counts.skipped, whole.counts.skipped);
    EXPECT_EQ(joined.counts.bytes, whole.counts.bytes);
    most = std::max(most, units.size());
  }
  return most;
}

ReaderOptions kind(SourceKind k) {
  ReaderOptions options;
  options.kind = k;
  return options;
}

TEST(Split, Wet) {
  std::string plain;
  std::string zipped;
  for (int i = 0; i < 40; ++i) {
    // Text that quotes a record must not be cut there.
    const std::string record = wet_record(fmt::format("http://{}", i), fmt::format("text {}\r\n\r\nWARC/1.0\r\n", i));
    plain += record;
    zipped += gzip(record);
  }
  EXPECT_EQ(expect_same_in_units(plain, kind(SourceKind::wet)), 40u);
  EXPECT_EQ(expect_same_in_units(zipped, kind(SourceKind::wet)), 40u);
  EXPECT_EQ(expect_same_in_units(gzip(plain), kind(SourceKind::wet)), 1u);
}

TEST(Split, WikiStreams) {
  std::string zipped = bzip2(wiki_head());
  std::string plain = wiki_head();
  for (int i = 0; i < 20; ++i) {
    const std::string page = wiki_page(fmt::format("P{}", i), i % 3, fmt::format("Text {} [[Datei:x.jpg|gone]]", i));
    zipped += bzip2(page);
    plain += page;
  }
  zipped += bzip2("</mediawiki>");
  plain += "</mediawiki>";
  EXPECT_GE(expect_same_in_units(zipped, kind(SourceKind::wiki)), 20u);
  EXPECT_GE(expect_same_in_units(plain, kind(SourceKind::wiki)), 20u);
  EXPECT_EQ(expect_same_in_units(bzip2(plain), kind(SourceKind::wiki)), 1u);
}

// A parallel compressor cuts anywhere: such streams are no units.
TEST(Split, WikiStreamsCutAnywhereStayWhole) {
  std::string plain = wiki_head();
  for (int i = 0; i < 200; ++i) {
    plain += wiki_page(fmt::format("P{}", i), 0, fmt::format("Text {}", i));
  }
  plain += "</mediawiki>";
  std::string zipped;
  for (std::size_t i = 0; i < plain.size(); i += 1501) {
    zipped += bzip2(std::string_view(plain).substr(i, 1501));
  }
  const auto whole = read_bytes(zipped, SourceKind::wiki);
  EXPECT_EQ(whole.documents.size(), 200u);
  expect_same_in_units(zipped, kind(SourceKind::wiki));
}

TEST(Split, LinesAndParagraphs) {
  std::string lines;
  std::string paragraphs;
  for (int i = 0; i < 100; ++i) {
    lines += fmt::format("{{\"text\": \"line {}\"}}\n", i);
    paragraphs += fmt::format("paragraph {}\nmore{}", i, i % 2 == 0 ? "\n\n" : "\r\n\r\n\r\n");
  }
  EXPECT_GE(expect_same_in_units(lines, kind(SourceKind::jsonl)), 50u);
  EXPECT_EQ(expect_same_in_units(gzip(lines), kind(SourceKind::jsonl)), 1u);
  auto blank = kind(SourceKind::text);
  EXPECT_EQ(expect_same_in_units(paragraphs, blank), 1u);
  blank.blank_lines_separate = true;
  EXPECT_GE(expect_same_in_units(paragraphs, blank), 100u);
}

TEST(Split, EmptyFile) {
  const auto file = InputFile::from_memory("memory", "");
  EXPECT_EQ(split(*file, SourceKind::text, 100).size(), 1u);
}

}  // namespace
}  // namespace trireme::testing
