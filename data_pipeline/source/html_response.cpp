// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/source/html_response.h"

#include <utility>

#include "data_pipeline/extract/charset.h"
#include "data_pipeline/extract/html_text.h"
#include "data_pipeline/source/byte_stream.h"
#include "data_pipeline/source/input_file.h"

namespace trireme {
namespace {

HtmlVerdict skipped(std::string_view reason) { return {HtmlVerdict::What::skipped, reason}; }
HtmlVerdict failed(std::string_view reason) { return {HtmlVerdict::What::failed, reason}; }

/// The media type without its parameters.
std::string_view media_type(std::string_view content_type) {
  return trim_blanks(content_type.substr(0, content_type.find(';')));
}

bool is_html(std::string_view type, std::string_view body) {
  if (type.empty()) {
    return trim_blanks(body.substr(0, 512)).starts_with('<');
  }
  return equal_ignoring_case(type, "text/html") || equal_ignoring_case(type, "application/xhtml+xml");
}

bool contains_ignoring_case(std::string_view text, std::string_view word) {
  for (std::size_t i = 0; i + word.size() <= text.size(); ++i) {
    if (equal_ignoring_case(text.substr(i, word.size()), word)) {
      return true;
    }
  }
  return false;
}

/// Decompresses a gzip body within the limits of a record.
std::string_view gunzip(std::string_view body, const ReaderOptions& options, std::string& out) {
  const auto file = InputFile::from_memory("body", std::string(body));
  const auto stream = open_stream(file, Compression::gzip, 0, kToTheEnd, options.max_ratio);
  std::string plain;
  for (;;) {
    const std::size_t at = plain.size();
    plain.resize(at + (64u << 10));
    const std::size_t got = stream->read(plain.data() + at, plain.size() - at);
    plain.resize(at + got);
    if (got == 0) {
      break;
    }
    if (plain.size() > options.max_record_bytes) {
      return "record longer than its limit";
    }
  }
  if (!stream->damage().empty()) {
    return "damaged Content-Encoding gzip";
  }
  out = std::move(plain);
  return {};
}

/// The body without chunks and compression, as bytes that live in `body` or `storage`.
HtmlVerdict decode_body(const HttpResponse& response, const ReaderOptions& options, std::string_view& body,
                        std::string& storage) {
  body = response.body;
  std::string joined;
  if (contains_ignoring_case(response.transfer_encoding, "chunked") && decode_chunked(body, joined)) {
    storage = std::move(joined);
    body = storage;
  }
  const std::string_view encoding = response.content_encoding;
  if (encoding.empty() || equal_ignoring_case(encoding, "identity")) {
    return {};
  }
  if (equal_ignoring_case(encoding, "gzip") || equal_ignoring_case(encoding, "x-gzip")) {
    if (!body.starts_with("\x1f\x8b")) {
      return {};  // the crawler has decompressed it and kept the field
    }
    std::string plain;
    const std::string_view reason = gunzip(body, options, plain);
    storage = std::move(plain);
    body = storage;
    return reason.empty() ? HtmlVerdict{} : failed(reason);
  }
  // Nested, br, zstd, deflate. Many crawls decompress and keep the field: what reads as markup is taken as it is.
  return trim_blanks(body.substr(0, 512)).starts_with('<') ? HtmlVerdict{} : skipped("Content-Encoding not supported");
}

}  // namespace

HtmlVerdict html_from_block(std::string_view block, const WarcHeader& header, const ReaderOptions& options,
                            std::string& text) {
  HttpResponse response;
  if (!parse_http_response(block, options.max_header_bytes, response)) {
    return failed("HTTP header longer than its limit or without an end");
  }
  if (response.status != 0 && response.status / 100 != 2) {
    return skipped("HTTP status not 2xx");
  }
  std::string_view content_type = response.content_type;
  if (response.status == 0 && !contains_ignoring_case(header.content_type, "application/http")) {
    content_type = header.content_type;
  }
  const std::string_view type = media_type(header.payload_type.empty() ? content_type : header.payload_type);
  std::string_view body;
  std::string storage;
  if (!type.empty() && !is_html(type, {})) {
    return skipped("not HTML");
  }
  const HtmlVerdict verdict = decode_body(response, options, body, storage);
  if (verdict.what != HtmlVerdict::What::text) {
    return verdict;
  }
  if (!is_html(type, body)) {
    return skipped("not HTML");
  }
  std::string utf8;
  const CharsetVerdict charset = html_to_utf8(body, content_type, options.invalid_utf8, utf8);
  if (charset == CharsetVerdict::unsupported) {
    return skipped("charset not supported");
  }
  if (charset == CharsetVerdict::invalid) {
    return failed("invalid UTF-8");
  }
  if (!options.extract) {
    text = std::move(utf8);
    return {};
  }
  const std::string_view reason = html_to_text(utf8, text);
  return reason.empty() ? HtmlVerdict{} : failed(reason);
}

}  // namespace trireme
