// SPDX-License-Identifier: Apache-2.0
#include "tests/data_pipeline/source/raw_bytes.h"

#include <bzlib.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <cstdlib>
#include <filesystem>

#include "data_pipeline/source/input_file.h"

namespace trireme::testing {

std::string gzip(std::string_view bytes) {
  z_stream stream = {};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, static_cast<uLong>(bytes.size())) + 32, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string bzip2(std::string_view bytes) {
  auto size = static_cast<unsigned>(bytes.size() + bytes.size() / 50 + 1000);
  std::string out(size, '\0');
  EXPECT_EQ(BZ2_bzBuffToBuffCompress(out.data(), &size, const_cast<char*>(bytes.data()),
                                     static_cast<unsigned>(bytes.size()), 1, 0, 0),
            BZ_OK);
  out.resize(size);
  return out;
}

std::string zstd(std::string_view bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  const std::size_t size = ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 3);
  EXPECT_FALSE(ZSTD_isError(size));
  out.resize(size);
  return out;
}

std::string warc_record(std::string_view type, std::string_view uri, std::string_view block) {
  return fmt::format(
      "WARC/1.0\r\nWARC-Type: {}\r\nWARC-Target-URI: {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n{}\r\n\r\n",
      type, uri, type == "response" ? "application/http; msgtype=response" : "text/plain", block.size(), block);
}

std::string wet_record(std::string_view uri, std::string_view text) { return warc_record("conversion", uri, text); }

std::string http_response(std::string_view fields, std::string_view body) {
  return fmt::format("HTTP/1.1 200 OK\r\n{}\r\n{}", fields, body);
}

std::string wiki_head() {
  return "<mediawiki xmlns=\"http://www.mediawiki.org/xml/export-0.10/\" version=\"0.10\" xml:lang=\"de\">\n"
         "  <siteinfo>\n    <namespaces>\n      <namespace key=\"0\" />\n      <namespace key=\"6\">Datei</namespace>\n"
         "      <namespace key=\"14\">Kategorie</namespace>\n    </namespaces>\n  </siteinfo>\n";
}

std::string wiki_page(std::string_view title, int ns, std::string_view text, bool redirect) {
  return fmt::format(
      "  <page>\n    <title>{}</title>\n    <ns>{}</ns>\n    <id>1</id>\n{}    <revision>\n      <id>2</id>\n"
      "      <model>wikitext</model>\n      <text xml:space=\"preserve\">{}</text>\n    </revision>\n  </page>\n",
      title, ns, redirect ? "    <redirect title=\"Elsewhere\" />\n" : "", text);
}

namespace {

ReadAll drain(DocumentReader& reader) {
  ReadAll all;
  Document document;
  for (bool more = true; more;) {
    more = reader.next(document);
    if (more) {
      all.documents.push_back(document);
    }
    const ReadCounts& c = reader.counts();
    EXPECT_EQ(c.records, c.documents + c.total_skipped() + c.total_failed());
    EXPECT_EQ(c.documents, all.documents.size());
  }
  EXPECT_FALSE(reader.next(document)) << "the end is not the end";
  all.counts = reader.counts();
  return all;
}

}  // namespace

ReadAll read_bytes(std::string bytes, ReaderOptions options) {
  options.file = "memory";
  const auto reader = open_reader(InputFile::from_memory("memory", std::move(bytes)), options);
  return drain(*reader);
}

ReadAll read_bytes(std::string bytes, SourceKind kind) {
  ReaderOptions options;
  options.kind = kind;
  return read_bytes(std::move(bytes), options);
}

ReadAll read_all(const ReaderOptions& options) {
  const auto reader = open_reader(options);
  return drain(*reader);
}

std::string sample(const std::string& name) {
  const char* root = std::getenv("TRIREME_SAMPLES");
  const std::string path = (root != nullptr ? std::string(root) : TRIREME_SOURCE_DIR "/../shared/samples") + "/" + name;
  return std::filesystem::exists(path) ? path : std::string();
}

}  // namespace trireme::testing
