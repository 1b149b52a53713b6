// SPDX-License-Identifier: Apache-2.0
// The header of a WARC record (ISO 28500; versions 0.17 to 1.1) and of the HTTP response inside it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace trireme {

/// The fields of a record's header that the reader needs; views into the header's bytes.
struct WarcHeader {
  enum class Length { given, missing, bad };

  std::string_view type;
  std::string_view target_uri;  ///< without the angle brackets that some writers put around it
  std::string_view content_type;
  std::string_view payload_type;  ///< WARC-Identified-Payload-Type
  bool truncated = false;         ///< WARC-Truncated: the crawler cut the payload
  Length length_state = Length::missing;
  std::uint64_t length = 0;  ///< Content-Length
};

/// Parses `bytes`, the version line and the named fields, without the empty line at their end. Returns an empty view,
/// or the reason why this is no acceptable header.
std::string_view parse_warc_header(std::string_view bytes, WarcHeader& header);

/// True when `bytes` begins as a record does: "WARC/", a digit, a point.
bool begins_warc_record(std::string_view bytes);

/// Length of the header that `bytes` begins with, its closing empty line (CRLF or LF) included; npos when it is not
/// there.
std::size_t header_block_size(std::string_view bytes);

/// What an HTTP response says about its body.
struct HttpResponse {
  int status = 0;                 ///< 0 when the block has no HTTP header (ClueWeb22)
  std::string_view content_type;  ///< lower case is not assured
  std::string_view transfer_encoding;
  std::string_view content_encoding;
  std::string_view body;
};

/// Splits a response block into header and body. A block that does not begin with "HTTP/" is all body.
/// False when the header has no end within `max_header_bytes`.
bool parse_http_response(std::string_view block, std::uint64_t max_header_bytes, HttpResponse& response);

/// True when `body` is wholly in chunked form; then `out` holds the bytes without it. Some crawls keep the header field
/// of a body that they have already put together, so the bytes decide.
bool decode_chunked(std::string_view body, std::string& out);

/// Equality without regard to ASCII case.
bool equal_ignoring_case(std::string_view a, std::string_view b);
std::string_view trim_blanks(std::string_view text);

}  // namespace trireme
