// SPDX-License-Identifier: Apache-2.0
// JSONL and text: limits, compressions, and the refusals that the JSON library does not make.
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "data_pipeline/source/json_line.h"
#include "tests/data_pipeline/source/raw_bytes.h"

namespace trireme::testing {
namespace {

using Counts = std::map<std::string, std::uint64_t>;

std::vector<std::string> texts(const ReadAll& all) {
  std::vector<std::string> result;
  for (const auto& d : all.documents) {
    result.push_back(d.text);
  }
  return result;
}

TEST(Jsonl, SameThroughEveryCompression) {
  const std::string lines =
      "{\"text\": \"one\", \"id\": \"x\", \"url\": \"http://a\"}\n\n{\"text\": \"two\\n\\u00e9\", \"metadata\": "
      "{\"text\": 5}}\r\n"
      "{\"text\": \"three\"}";
  for (const std::string& bytes :
       {lines, gzip(lines), zstd(lines), bzip2(lines), gzip(lines.substr(0, 20)) + gzip(lines.substr(20))}) {
    const auto all = read_bytes(bytes, SourceKind::jsonl);
    EXPECT_EQ(texts(all), (std::vector<std::string>{"one", "two\né", "three"}));
    EXPECT_EQ(all.documents[0].uri_or_title, "http://a");
    EXPECT_EQ(all.counts.total_failed(), 0u);
  }
}

TEST(Jsonl, Refusals) {
  std::string deep = "{\"text\":\"x\",\"a\":";
  for (int i = 0; i < 64; ++i) {
    deep += '[';
  }
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{\"text\": \"x\"", "line not valid JSON"},
      {"{\"text\": \"x\"} x", "line not valid JSON"},
      {"{\"text\": \"\\ud800\"}", "line not valid JSON"},
      {"{\"text\": \"\xff\"}", "line not valid JSON"},
      {"\xef\xbb\xbf{\"text\": \"x\"}", "line not valid JSON"},
      {"[{\"text\": \"x\"}]", "line not a JSON object"},
      {"\"text\"", "line not a JSON object"},
      {"{\"text\": \"x\", \"text\": \"y\"}", "JSON with a duplicate key"},
      {"{\"text\": \"x\", \"m\": {\"a\": 1, \"a\": 2}}", "JSON with a duplicate key"},
      {std::string("{\"text\": \"x\"}\0", 14), "JSON with a NUL byte"},
      {"{\"content\": \"x\"}", "text field missing"},
      {"{\"m\": {\"text\": \"x\"}}", "text field missing"},
      {"{\"text\": \"\"}", "text field empty"},
      {"{\"text\": 5}", "text field not a string"},
      {"{\"text\": null}", "text field not a string"},
      {"{\"text\": [\"x\"]}", "text field not a string"},
      {deep, "JSON nested deeper than 64"},
  };
  for (const auto& [line, reason] : cases) {
    const auto all = read_bytes("{\"text\": \"first\"}\n" + line + "\n{\"text\": \"last\"}\n", SourceKind::jsonl);
    EXPECT_EQ(texts(all), (std::vector<std::string>{"first", "last"})) << line;
    EXPECT_EQ(all.counts.failed, (Counts{{reason, 1}})) << line;
  }
}

TEST(Jsonl, MillionsOfBracketsCostNothing) {
  const auto all = read_bytes("{\"text\":" + std::string(5'000'000, '['), SourceKind::jsonl);
  EXPECT_EQ(all.counts.total_failed(), 1u);
}

TEST(Jsonl, LongLineIsPassedOver) {
  ReaderOptions options;
  options.kind = SourceKind::jsonl;
  options.max_record_bytes = 100'000;
  const std::string lines =
      "{\"text\": \"one\"}\n{\"text\": \"" + std::string(1'000'000, 'x') + "\"}\n{\"text\": \"three\"}\n";
  for (const std::string& bytes : {lines, gzip(lines)}) {
    const auto all = read_bytes(bytes, options);
    EXPECT_EQ(texts(all), (std::vector<std::string>{"one", "three"}));
    EXPECT_EQ(all.counts.failed, (Counts{{"record longer than its limit", 1}}));
  }
}

TEST(Jsonl, ByteOrderMarkAtTheBeginningOfTheFile) {
  EXPECT_EQ(texts(read_bytes("\xef\xbb\xbf{\"text\": \"x\"}\n", SourceKind::jsonl)), (std::vector<std::string>{"x"}));
}

TEST(Jsonl, DamagedPieces) {
  std::string noise;  // does not compress, so that a cut in the middle loses something
  for (unsigned i = 0, x = 1; i < 3000; ++i) {
    x = x * 1664525 + 1013904223;
    noise += static_cast<char>('a' + (x >> 24) % 26);
  }
  const std::string first = "{\"text\": \"one\"}\n";
  const std::string second = "{\"text\": \"" + noise + "\"}\n";
  const std::string third = "{\"text\": \"three\"}\n{\"text\": \"four\"}\n";
  for (const auto compress : {&gzip, &zstd, &bzip2}) {
    const std::string middle = compress(second);
    const auto all =
        read_bytes(compress(first) + middle.substr(0, middle.size() / 2) + compress(third), SourceKind::jsonl);
    // A line may have been cut by the damage, so the first one after it is not trusted.
    EXPECT_EQ(texts(all), (std::vector<std::string>{"one", "four"}));
    EXPECT_EQ(all.counts.total_failed(), 1u);
  }
}

TEST(Jsonl, ZstdWindowIsBounded) {
  // Frame header: no single segment, no checksum; window descriptor for 2^31 bytes; an empty last raw block.
  const std::string frame("\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00", 9);
  EXPECT_EQ(read_bytes(frame, SourceKind::jsonl).counts.failed,
            (Counts{{"zstd: frame asks for a window above 128 MiB", 1}}));
}

TEST(Text, WholeFileAndParagraphs) {
  const std::string file = "one\ntwo\r\n\r\n  \nthree\n";
  const auto whole = read_bytes(file, SourceKind::text);
  EXPECT_EQ(texts(whole), (std::vector<std::string>{"one\ntwo\n\n  \nthree\n"}));
  ReaderOptions options;
  options.kind = SourceKind::text;
  options.blank_lines_separate = true;
  const auto parts = read_bytes(file, options);
  EXPECT_EQ(texts(parts), (std::vector<std::string>{"one\ntwo\n", "three\n"}));
  EXPECT_EQ(parts.documents[1].offset, 14u);
  EXPECT_EQ(parts.documents[1].uri_or_title, "memory@14");
}

TEST(Text, TooLong) {
  ReaderOptions options;
  options.kind = SourceKind::text;
  options.max_record_bytes = 10;
  EXPECT_EQ(read_bytes("12345\n67890\n", options).counts.failed, (Counts{{"record longer than its limit", 1}}));
  options.blank_lines_separate = true;
  EXPECT_EQ(texts(read_bytes("12345\n67890\n\n123\n", options)), (std::vector<std::string>{"123\n"}));
}

TEST(Reader, KindsAndNames) {
  EXPECT_EQ(guess_source_kind("a/b.warc.wet.gz"), SourceKind::wet);
  EXPECT_EQ(guess_source_kind("x.warc.gz"), SourceKind::warc);
  EXPECT_EQ(guess_source_kind("enwiki-20260101-pages-articles-multistream.xml.bz2"), SourceKind::wiki);
  EXPECT_EQ(guess_source_kind("c4.json.gz"), SourceKind::jsonl);
  EXPECT_EQ(guess_source_kind("book.txt"), SourceKind::text);
  EXPECT_THROW(guess_source_kind("data.parquet"), Error);
  for (const char* name : {"wet", "warc", "wiki", "jsonl", "text"}) {
    EXPECT_EQ(source_kind_name(source_kind(name)), name);
  }
  EXPECT_THROW(source_kind("csv"), Error);
}

TEST(Reader, MissingFilesAndDirectories) {
  ReaderOptions options;
  options.file = "/nowhere/at/all.txt";
  try {
    open_reader(options);
    FAIL() << "a missing file was opened";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("/nowhere/at/all.txt"), std::string::npos);
    EXPECT_NE(std::string(e.what()).find("No such file"), std::string::npos);
  }
  options.file = "/";
  EXPECT_THROW(open_reader(options), Error);
}

TEST(ReadCounts, MergeAddsAndBoundsNames) {
  ReadCounts a;
  a.skip("x");
  a.fail("y", "where");
  ReadCounts b = a;
  b.drop_template("t", 3);
  a.merge(b);
  EXPECT_EQ(a.records, 4u);
  EXPECT_EQ(a.skipped, (Counts{{"x", 2}}));
  EXPECT_EQ(a.dropped_templates, (Counts{{"t", 3}}));
  EXPECT_EQ(a.examples.size(), 2u);
  for (int i = 0; i < 30'000; ++i) {
    a.drop_template("name" + std::to_string(i), 1);
  }
  EXPECT_LE(a.dropped_templates.size(), 20'001u);
  EXPECT_GT(a.dropped_templates.at("(other)"), 0u);
}

}  // namespace
}  // namespace trireme::testing
