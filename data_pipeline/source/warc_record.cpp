// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/source/warc_record.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace trireme {
namespace {

constexpr std::size_t kMostFields = 1000;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Takes the next line off `rest`, without its CRLF or LF.
std::string_view take_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  if (line.ends_with('\r')) {
    line.remove_suffix(1);
  }
  return line;
}

/// Digits only: no sign, no blank, no hexadecimal, no overflow.
bool parse_length(std::string_view text, std::uint64_t& value) {
  if (text.empty() || text[0] < '0' || text[0] > '9') {
    return false;
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

void set_length(std::string_view value, WarcHeader& header) {
  std::uint64_t length = 0;
  const bool again = header.length_state == WarcHeader::Length::given;
  if (!parse_length(value, length) || (again && length != header.length)) {
    header.length_state = WarcHeader::Length::bad;
  } else if (header.length_state == WarcHeader::Length::missing) {
    header.length_state = WarcHeader::Length::given;
    header.length = length;
  }
}

void set_field(std::string_view name, std::string_view value, WarcHeader& header) {
  if (equal_ignoring_case(name, "WARC-Type")) {
    header.type = value;
  } else if (equal_ignoring_case(name, "WARC-Target-URI")) {
    if (value.size() >= 2 && value.starts_with('<') && value.ends_with('>')) {
      value = value.substr(1, value.size() - 2);
    }
    header.target_uri = value;
  } else if (equal_ignoring_case(name, "Content-Type")) {
    header.content_type = value;
  } else if (equal_ignoring_case(name, "WARC-Identified-Payload-Type")) {
    header.payload_type = value;
  } else if (equal_ignoring_case(name, "WARC-Truncated")) {
    header.truncated = true;
  } else if (equal_ignoring_case(name, "Content-Length")) {
    set_length(value, header);
  }
}

}  // namespace

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trim_blanks(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) {
    return {};
  }
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

bool begins_warc_record(std::string_view bytes) {
  return bytes.size() >= 7 && bytes.starts_with("WARC/") && bytes[5] >= '0' && bytes[5] <= '9' && bytes[6] == '.';
}

std::size_t header_block_size(std::string_view bytes) {
  for (std::size_t at = bytes.find('\n'); at != std::string_view::npos; at = bytes.find('\n', at + 1)) {
    const std::string_view after = bytes.substr(at + 1, 2);
    if (after.starts_with('\n')) {
      return at + 2;
    }
    if (after == "\r\n") {
      return at + 3;
    }
  }
  return std::string_view::npos;
}

std::string_view parse_warc_header(std::string_view bytes, WarcHeader& header) {
  header = {};
  if (bytes.find('\0') != std::string_view::npos) {
    return "WARC header with a NUL byte";
  }
  const std::string_view version = take_line(bytes);
  if (!begins_warc_record(version) || (version[5] != '1' && version[5] != '0')) {
    return "WARC version not 0.x or 1.x";
  }
  std::size_t fields = 0;
  while (!bytes.empty()) {
    const std::string_view line = take_line(bytes);
    // A line that begins with a blank continues the field before it; no field that we use is ever folded.
    if (line.empty() || line[0] == ' ' || line[0] == '\t') {
      continue;
    }
    if (++fields > kMostFields) {
      return "WARC header with more than 1000 fields";
    }
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos) {
      set_field(trim_blanks(line.substr(0, colon)), trim_blanks(line.substr(colon + 1)), header);
    }
  }
  return {};
}

bool parse_http_response(std::string_view block, std::uint64_t max_header_bytes, HttpResponse& response) {
  response = {};
  response.body = block;
  if (!block.starts_with("HTTP/")) {
    return true;
  }
  const std::size_t size = header_block_size(
      block.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), max_header_bytes))));
  if (size == std::string_view::npos) {
    return false;
  }
  std::string_view head = block.substr(0, size);
  response.body = block.substr(size);
  const std::string_view status_line = take_line(head);
  const std::size_t space = status_line.find(' ');
  if (space != std::string_view::npos) {
    const std::string_view code = trim_blanks(status_line.substr(space)).substr(0, 3);
    std::from_chars(code.data(), code.data() + code.size(), response.status);
  }
  while (!head.empty()) {
    const std::string_view line = take_line(head);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) {
      continue;
    }
    const std::string_view name = trim_blanks(line.substr(0, colon));
    const std::string_view value = trim_blanks(line.substr(colon + 1));
    if (equal_ignoring_case(name, "Content-Type")) {
      response.content_type = value;
    } else if (equal_ignoring_case(name, "Transfer-Encoding")) {
      response.transfer_encoding = value;
    } else if (equal_ignoring_case(name, "Content-Encoding")) {
      response.content_encoding = value;
    }
  }
  return true;
}

bool decode_chunked(std::string_view body, std::string& out) {
  out.clear();
  for (;;) {
    const std::size_t line_end = body.find("\r\n");
    if (line_end == std::string_view::npos || line_end > 64) {
      return false;
    }
    const std::string_view line = body.substr(0, line_end);
    std::uint64_t size = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), size, 16);
    const auto digits = static_cast<std::size_t>(end - line.data());
    if (error != std::errc{} || (digits < line.size() && line[digits] != ';' && line[digits] != ' ')) {
      return false;
    }
    body.remove_prefix(line_end + 2);
    if (size == 0) {
      return true;  // what follows are trailers
    }
    if (size > body.size() || body.substr(static_cast<std::size_t>(size), 2) != "\r\n") {
      return false;
    }
    out.append(body.substr(0, static_cast<std::size_t>(size)));
    body.remove_prefix(static_cast<std::size_t>(size) + 2);
  }
}

}  // namespace trireme
