// SPDX-License-Identifier: Apache-2.0
// WARC and WET: the quirks of real files, and what becomes of bad ones.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "data_pipeline/source/warc_record.h"
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

std::string three_members() {
  return gzip(wet_record("http://a", "first")) + gzip(wet_record("http://b", "second")) +
         gzip(wet_record("http://c", "third"));
}

TEST(Wet, MemberByMemberWithAddresses) {
  const std::string one = gzip(warc_record("warcinfo", "", "software: test\r\n"));
  const std::string two = gzip(wet_record("<http://b>", "second\r\nline"));
  const auto all = read_bytes(one + two + gzip(wet_record("http://c d", "third")), SourceKind::wet);
  ASSERT_EQ(all.documents.size(), 2u);
  EXPECT_EQ(all.documents[0].text, "second\nline");
  EXPECT_EQ(all.documents[0].uri_or_title, "http://b");
  EXPECT_EQ(all.documents[0].record, 1u);
  EXPECT_EQ(all.documents[0].offset, one.size());
  EXPECT_EQ(all.documents[0].source, "memory");
  EXPECT_EQ(all.documents[1].uri_or_title, "http://c d");
  EXPECT_EQ(all.documents[1].offset, one.size() + two.size());
  EXPECT_EQ(all.counts.skipped, (Counts{{"type warcinfo", 1}}));
}

TEST(Wet, PlainBytesOneMemberAndMembersAcrossRecordsAgree) {
  std::string plain;
  for (int i = 0; i < 50; ++i) {
    plain += wet_record(fmt::format("http://{}", i), std::string(static_cast<std::size_t>(i * 100 + 1), 'x'));
  }
  const auto expected = texts(read_bytes(plain, SourceKind::wet));
  ASSERT_EQ(expected.size(), 50u);
  EXPECT_EQ(texts(read_bytes(gzip(plain), SourceKind::wet)), expected);
  std::string blocks;
  for (std::size_t i = 0; i < plain.size(); i += 777) {
    blocks += gzip(std::string_view(plain).substr(i, 777));
  }
  EXPECT_EQ(texts(read_bytes(blocks, SourceKind::wet)), expected);
}

TEST(Wet, ExactOffsetsInPlainFiles) {
  const std::string one = wet_record("http://a", "first");
  const auto all = read_bytes(one + wet_record("http://b", "second"), SourceKind::wet);
  ASSERT_EQ(all.documents.size(), 2u);
  EXPECT_EQ(all.documents[1].offset, one.size());
}

TEST(Wet, TruncatedMemberIsCountedAndReadingGoesOn) {
  const std::string first = gzip(wet_record("http://a", "first"));
  const std::string second = gzip(wet_record("http://b", std::string(500, 'b') + "second"));
  const std::string third = gzip(wet_record("http://c", "third"));
  for (std::size_t kept = 1; kept < second.size(); ++kept) {
    const auto all = read_bytes(first + second.substr(0, kept) + third, SourceKind::wet);
    ASSERT_EQ(texts(all), (std::vector<std::string>{"first", "third"})) << "cut after " << kept;
    ASSERT_EQ(all.counts.total_failed(), 1u) << "cut after " << kept;
    ASSERT_EQ(all.counts.records, 3u);
  }
}

TEST(Wet, TruncatedTail) {
  const std::string file = three_members();
  const auto all = read_bytes(file.substr(0, file.size() - 5), SourceKind::wet);
  EXPECT_EQ(texts(all), (std::vector<std::string>{"first", "second"}));
  EXPECT_EQ(all.counts.failed, (Counts{{"gzip: truncated member", 1}}));
  ASSERT_EQ(all.counts.examples.size(), 1u);
  EXPECT_NE(all.counts.examples[0].find("memory: record 2 at byte"), std::string::npos) << all.counts.examples[0];
}

// Each bit of the middle member, flipped: no other text than the true ones may come out.
TEST(Wet, FlippedBitsNeverGiveAnotherText) {
  const std::string first = gzip(wet_record("http://a", "first"));
  const std::string second = gzip(wet_record("http://b", "the second document of three"));
  const std::string third = gzip(wet_record("http://c", "third"));
  for (std::size_t i = 0; i < second.size() * 8; ++i) {
    std::string bad = second;
    bad[i / 8] = static_cast<char>(bad[i / 8] ^ (1 << (i % 8)));
    const auto all = read_bytes(first + bad + third, SourceKind::wet);
    const auto found = texts(all);
    ASSERT_GE(found.size(), 2u) << i;
    EXPECT_EQ(found.front(), "first");
    EXPECT_EQ(found.back(), "third") << i;
    if (found.size() == 3) {
      EXPECT_EQ(found[1], "the second document of three") << "bit " << i;  // time stamp, flags, operating system
    } else {
      EXPECT_EQ(all.counts.total_failed(), 1u) << "bit " << i;
    }
  }
}

TEST(Wet, GarbageBetweenMembersAndZerosAfterThem) {
  const auto all = read_bytes(gzip(wet_record("http://a", "first")) + "garbage\x1f\x8b\x08 more" +
                                  gzip(wet_record("http://b", "second")) + std::string(512, '\0'),
                              SourceKind::wet);
  EXPECT_EQ(texts(all), (std::vector<std::string>{"first", "second"}));
  EXPECT_EQ(all.counts.failed, (Counts{{"gzip: bytes that are no member", 1}}));
}

TEST(Wet, GzipHeaderWithExtraFieldNameAndComment) {
  std::string member = gzip(wet_record("http://a", "first"));
  const std::string extra("\x08\0sl\x04\0\x01\x02\x03\x04", 10);
  member = member.substr(0, 3) + '\x1c' + member.substr(4, 6) + extra + std::string("name\0comment\0", 13) +
           member.substr(10);
  EXPECT_EQ(texts(read_bytes(member, SourceKind::wet)), (std::vector<std::string>{"first"}));
}

TEST(Wet, LongRecordIsPassedOver) {
  ReaderOptions options;
  options.kind = SourceKind::wet;
  options.max_record_bytes = 1000;
  for (const bool compressed : {false, true}) {
    std::string file;
    for (const auto& record : {wet_record("http://a", std::string(1000, 'a')),
                               wet_record("http://b", std::string(1001, 'b')), wet_record("http://c", "third")}) {
      file += compressed ? gzip(record) : record;
    }
    const auto all = read_bytes(file, options);
    EXPECT_EQ(texts(all), (std::vector<std::string>{std::string(1000, 'a'), "third"}));
    EXPECT_EQ(all.counts.failed, (Counts{{"record longer than its limit", 1}}));
  }
}

TEST(Wet, BombIsStoppedByItsRatio) {
  ReaderOptions options;
  options.kind = SourceKind::wet;
  options.max_ratio = 100;
  const auto all = read_bytes(
      gzip(wet_record("http://a", std::string(64u << 20, 'a'))) + gzip(wet_record("http://b", "next")), options);
  EXPECT_EQ(texts(all), (std::vector<std::string>{"next"}));
  EXPECT_EQ(all.counts.failed, (Counts{{"gzip: decompression ratio above its limit", 1}}));
  EXPECT_LT(all.counts.decoded_bytes, 20u << 20);
}

TEST(Wet, InvalidUtf8FailsOrIsReplaced) {
  const std::string file = wet_record("http://a", "caf\xe9 noir") + wet_record("http://b", "second");
  const auto strict = read_bytes(file, SourceKind::wet);
  EXPECT_EQ(texts(strict), (std::vector<std::string>{"second"}));
  EXPECT_EQ(strict.counts.failed, (Counts{{"invalid UTF-8", 1}}));
  ReaderOptions options;
  options.kind = SourceKind::wet;
  options.invalid_utf8 = InvalidUtf8::replace;
  EXPECT_EQ(texts(read_bytes(file, options)), (std::vector<std::string>{"caf\xef\xbf\xbd noir", "second"}));
}

std::string record_with(std::string_view length_field, std::string_view block) {
  return fmt::format("WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: http://x\r\n{}\r\n{}\r\n\r\n", length_field,
                     block);
}

TEST(Wet, BadLengths) {
  const std::string good = wet_record("http://good", "good");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"Content-Length: -5\r\n", "bad Content-Length"},
      {"Content-Length: +5\r\n", "bad Content-Length"},
      {"Content-Length: 0x5\r\n", "bad Content-Length"},
      {"Content-Length: 5 5\r\n", "bad Content-Length"},
      {"Content-Length:\r\n", "bad Content-Length"},
      {"Content-Length: 99999999999999999999999\r\n", "bad Content-Length"},
      {"Content-Length: 5\r\nContent-Length: 6\r\n", "bad Content-Length"},
      {"", "Content-Length missing"},
      {"Content-Length: 3\r\n", "Content-Length does not match the record"},
      {"Content-Length: 12\r\n", "Content-Length does not match the record"},
  };
  for (const auto& [field, reason] : cases) {
    const std::string bad = record_with(field, "hello");
    for (const bool compressed : {false, true}) {
      const std::string file = compressed ? gzip(bad) + gzip(good) : bad + good;
      // Three bytes of five, the rest taken as two bytes not counted: the repair for CC-MAIN-2018-34.
      const bool repaired = field == "Content-Length: 3\r\n";
      const auto all = read_bytes(file, SourceKind::wet);
      EXPECT_EQ(texts(all).back(), "good") << field << compressed;
      EXPECT_EQ(all.documents.size(), repaired ? 2u : 1u) << field << compressed;
      if (!repaired) {
        EXPECT_EQ(all.counts.failed, (Counts{{reason, 1}})) << field << compressed;
      }
    }
  }
}

TEST(Wet, LengthBeyondTheFile) {
  const std::string good = wet_record("http://good", "good");
  const auto inside = read_bytes(record_with("Content-Length: 99999\r\n", "hello") + good, SourceKind::wet);
  EXPECT_EQ(texts(inside), (std::vector<std::string>{"good"}));
  EXPECT_EQ(inside.counts.failed, (Counts{{"truncated record", 1}}));
  const auto huge =
      read_bytes(gzip(record_with("Content-Length: 999999999999\r\n", "hello")) + gzip(good), SourceKind::wet);
  EXPECT_EQ(texts(huge), (std::vector<std::string>{"good"}));
  EXPECT_EQ(huge.counts.failed, (Counts{{"Content-Length does not match the record", 1}}));
}

TEST(Wet, OldVersionsAndBareLineFeeds) {
  std::string file = "WARC/0.18\nWARC-Type: warcinfo\nsoftware: x\n\nsome: field\n\n";
  file += "WARC/0.18\nWARC-Type: conversion\nWARC-Target-URI: http://a\nContent-Length: 5\n\nfirst\n\n";
  file += "WARC/1.1\r\nwarc-type: Conversion\r\nwarc-target-uri: http://b\r\ncontent-length: 6\r\n\r\nsecond\r\n\r\n";
  const auto all = read_bytes(file, SourceKind::wet);
  EXPECT_EQ(texts(all), (std::vector<std::string>{"first", "second"}));
  EXPECT_EQ(all.counts.skipped, (Counts{{"type warcinfo", 1}}));
}

TEST(Wet, HeadersOverTheirLimits) {
  const std::string good = wet_record("http://good", "good");
  const std::string long_header =
      "WARC/1.0\r\nX: " + std::string(100'000, 'x') + "\r\nContent-Length: 1\r\n\r\na\r\n\r\n";
  std::string many = "WARC/1.0\r\n";
  for (int i = 0; i < 1500; ++i) {
    many += "X: y\r\n";
  }
  many += "Content-Length: 1\r\n\r\na\r\n\r\n";
  const std::string nul = std::string("WARC/1.0\r\nX: \0\r\n", 16) + "Content-Length: 1\r\n\r\na\r\n\r\n";
  const std::string version = "WARC/7.0\r\nContent-Length: 1\r\n\r\na\r\n\r\n";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {long_header, "WARC header longer than its limit"},
      {many, "WARC header with more than 1000 fields"},
      {nul, "WARC header with a NUL byte"},
      {version, "WARC version not 0.x or 1.x"},
      {"no record at all\r\n", "no WARC record where one should begin"},
  };
  for (const auto& [bad, reason] : cases) {
    const auto all = read_bytes(bad + good, SourceKind::wet);
    EXPECT_EQ(texts(all), (std::vector<std::string>{"good"})) << reason;
    EXPECT_EQ(all.counts.failed, (Counts{{reason, 1}}));
  }
}

TEST(Wet, EmptyFileAndEmptyText) {
  EXPECT_EQ(read_bytes("", SourceKind::wet).counts.records, 0u);
  EXPECT_EQ(read_bytes(wet_record("http://a", ""), SourceKind::wet).counts.skipped, (Counts{{"no text", 1}}));
}

constexpr std::string_view kHtml = "Content-Type: text/html; charset=UTF-8\r\n";

TEST(Warc, ResponsesOnly) {
  std::string file = warc_record("request", "http://a", "GET / HTTP/1.1\r\n\r\n");
  file += warc_record("response", "http://a", http_response(kHtml, "<p>Hello <b>there</b>"));
  file += warc_record("response", "http://b", http_response("Content-Type: image/png\r\n", "\x89PNG"));
  file += warc_record("response", "http://c", "HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n\r\n<p>gone");
  file +=
      warc_record("response", "http://d", http_response("Content-Type: text/html; charset=shift_jis\r\n", "<p>\x83"));
  file += warc_record("surprise", "http://e", "x");
  const auto all = read_bytes(file, SourceKind::warc);
  EXPECT_EQ(texts(all), (std::vector<std::string>{"Hello there"}));
  EXPECT_EQ(all.counts.skipped, (Counts{{"type request", 1},
                                        {"not HTML", 1},
                                        {"HTTP status not 2xx", 1},
                                        {"charset not supported", 1},
                                        {"type other", 1}}));
}

TEST(Warc, ChunksOnlyWhereThereAreChunks) {
  const std::string field = std::string(kHtml) + "Transfer-Encoding: chunked\r\n";
  const std::string chunked = "6\r\n<p>one\r\n5;x=y\r\n two!\r\n0\r\n\r\n";
  EXPECT_EQ(texts(read_bytes(warc_record("response", "u", http_response(field, chunked)), SourceKind::warc)),
            (std::vector<std::string>{"one two!"}));
  EXPECT_EQ(texts(read_bytes(warc_record("response", "u", http_response(field, "<p>whole")), SourceKind::warc)),
            (std::vector<std::string>{"whole"}));
}

TEST(Warc, CompressedBodies) {
  const std::string field = std::string(kHtml) + "Content-Encoding: gzip\r\n";
  EXPECT_EQ(texts(read_bytes(warc_record("response", "u", http_response(field, gzip("<p>zipped"))), SourceKind::warc)),
            (std::vector<std::string>{"zipped"}));
  EXPECT_EQ(texts(read_bytes(warc_record("response", "u", http_response(field, "<p>not zipped")), SourceKind::warc)),
            (std::vector<std::string>{"not zipped"}));
  const std::string cut = gzip("<p>zipped and damaged").substr(0, 20);
  EXPECT_EQ(read_bytes(warc_record("response", "u", http_response(field, cut)), SourceKind::warc).counts.failed,
            (Counts{{"damaged Content-Encoding gzip", 1}}));
  const std::string brotli = std::string(kHtml) + "Content-Encoding: br\r\n";
  EXPECT_EQ(
      read_bytes(warc_record("response", "u", http_response(brotli, "\x8b\x01")), SourceKind::warc).counts.skipped,
      (Counts{{"Content-Encoding not supported", 1}}));
}

TEST(Warc, ResponseWithoutHttpHeader) {
  EXPECT_EQ(texts(read_bytes(warc_record("response", "u", "<html><p>bare</html>"), SourceKind::warc)),
            (std::vector<std::string>{"bare"}));
}

// CC-MAIN-2018-34: CRLF three times after the HTTP header, Content-Length two too small.
TEST(Warc, TwoBytesShort) {
  const std::string block = http_response(std::string(kHtml) + "\r\n", "<p>all of it</p>");
  std::string record = warc_record("response", "u", block);
  const std::string right = fmt::format("Content-Length: {}", block.size());
  record.replace(record.find(right), right.size(), fmt::format("Content-Length: {}", block.size() - 2));
  for (const bool compressed : {false, true}) {
    const std::string next = warc_record("response", "v", http_response(kHtml, "<p>next"));
    const auto all = read_bytes(compressed ? gzip(record) + gzip(next) : record + next, SourceKind::warc);
    EXPECT_EQ(texts(all), (std::vector<std::string>{"all of it", "next"}));
    EXPECT_EQ(all.counts.noted, (Counts{{"Content-Length two bytes short", 1}}));
  }
}

TEST(WarcHeader, Fields) {
  WarcHeader header;
  EXPECT_EQ(parse_warc_header(
                "WARC/1.0\r\nWARC-Type: response\r\n folded: not\r\nWARC-Truncated: length\r\nContent-Length: 7\r\n"
                "WARC-Target-URI: <http://a b>\r\nWARC-Identified-Payload-Type: text/html\r\n",
                header),
            "");
  EXPECT_EQ(header.type, "response");
  EXPECT_EQ(header.target_uri, "http://a b");
  EXPECT_EQ(header.length, 7u);
  EXPECT_TRUE(header.truncated);
  EXPECT_EQ(header.payload_type, "text/html");
}

TEST(Chunks, RefusesWhatIsNotWhollyChunked) {
  std::string out;
  EXPECT_TRUE(decode_chunked("3\r\nabc\r\n0\r\n\r\n", out));
  EXPECT_EQ(out, "abc");
  for (const char* bad :
       {"", "zz\r\nabc", "3\r\nab\r\n0\r\n\r\n", "ffffffffffffffff\r\nabc\r\n", "3\r\nabc\r\n", "3abc"}) {
    EXPECT_FALSE(decode_chunked(bad, out)) << bad;
  }
}

}  // namespace
}  // namespace trireme::testing
