// SPDX-License-Identifier: Apache-2.0
// Documents out of WARC (HTML responses) and WET (plain-text conversions) files, record by record; after damage it goes
// on with the next record that can be recognised.
#include <algorithm>
#include <array>
#include <utility>

#include "data_pipeline/source/html_response.h"
#include "data_pipeline/source/record_reader.h"
#include "data_pipeline/source/warc_record.h"
#include "data_pipeline/source/window.h"

namespace trireme {
namespace {

constexpr std::size_t kNone = std::string_view::npos;
constexpr std::size_t kVersionBytes = 7;  // "WARC/1."
constexpr std::string_view kLengthMismatch = "Content-Length does not match the record";

/// A skip reason for every standard record type, so that the input cannot invent reasons without end.
std::string_view type_reason(std::string_view type) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 8> known = {{
      {"warcinfo", "type warcinfo"},
      {"request", "type request"},
      {"response", "type response"},
      {"metadata", "type metadata"},
      {"conversion", "type conversion"},
      {"resource", "type resource"},
      {"revisit", "type revisit"},
      {"continuation", "type continuation"},
  }};
  for (const auto& [name, reason] : known) {
    if (equal_ignoring_case(type, name)) {
      return reason;
    }
  }
  return "type other";
}

class WarcReader final : public RecordReader {
 public:
  WarcReader(std::unique_ptr<ByteStream> stream, const ReaderOptions& options)
      : RecordReader(std::move(stream), options), window_(this->stream()) {}

 protected:
  Outcome read_record(Document& document) override;
  std::uint64_t decoded() const override { return window_.decoded(); }

 private:
  Outcome after_damage();
  Outcome lose(std::string_view reason, std::size_t from);
  Outcome pass_over(std::size_t header_size, std::uint64_t length, std::string_view skip_reason);
  Outcome read_block(std::size_t header_size, std::uint64_t length, Document& document);
  Outcome take_block(std::string_view head, std::string_view block, Document& document);
  bool wanted(std::string_view type) const;
  bool to_record_line();
  bool read_header(std::size_t& size);
  bool seek_record(std::size_t from);
  std::size_t record_inside(std::size_t from, std::size_t to);
  std::size_t after_separator(std::size_t at);
  bool ends_record(std::size_t end, bool separator_needed);
  bool damaged_at(std::size_t end) const;

  Window window_;
  std::uint64_t offset_ = 0;  // of the record under way
};

/// Goes to the first byte that is not an empty line. False at the end or at damage.
bool WarcReader::to_record_line() {
  for (;;) {
    const std::string_view data = window_.data();
    window_.drop(std::min(data.find_first_not_of("\r\n"), data.size()));
    if (!window_.data().empty()) {
      return true;
    }
    if (!window_.grow()) {
      return false;
    }
  }
}

RecordReader::Outcome WarcReader::read_record(Document& document) {
  if (!to_record_line()) {
    return window_.damage().empty() ? Outcome::end : after_damage();
  }
  offset_ = window_.offset();
  window_.need(kVersionBytes);
  if (!begins_warc_record(window_.data())) {
    window_.need(16);
    if (counts_.records == 0 && window_.data().starts_with("filedesc://")) {
      return lose("ARC 1.0 file: convert it to WARC", kNone);
    }
    return lose("no WARC record where one should begin", 1);
  }
  std::size_t size = 0;
  if (!read_header(size)) {
    if (!window_.damage().empty()) {
      return after_damage();
    }
    const bool too_long = window_.data().size() >= options().max_header_bytes;
    return lose(too_long ? "WARC header longer than its limit" : "truncated record", kVersionBytes);
  }
  WarcHeader header;
  const std::string_view reason = parse_warc_header(window_.data().substr(0, size), header);
  if (!reason.empty()) {
    return lose(reason, size);
  }
  if (header.length_state == WarcHeader::Length::bad) {
    return lose("bad Content-Length", size);
  }
  if (header.length_state == WarcHeader::Length::missing) {
    if (wanted(header.type)) {
      return lose("Content-Length missing", size);
    }
    skip(type_reason(header.type));
    seek_record(size);
    return Outcome::none;
  }
  if (!wanted(header.type)) {
    return pass_over(size, header.length, type_reason(header.type));
  }
  if (header.length > options().max_record_bytes) {
    return pass_over(size, header.length, {});
  }
  return read_block(size, header.length, document);
}

bool WarcReader::wanted(std::string_view type) const {
  if (options().kind == SourceKind::wet) {
    return equal_ignoring_case(type, "conversion");
  }
  return equal_ignoring_case(type, "response") || equal_ignoring_case(type, "resource");
}

bool WarcReader::read_header(std::size_t& size) {
  const auto limit = static_cast<std::size_t>(options().max_header_bytes);
  for (;;) {
    size = header_block_size(window_.data().substr(0, limit));
    if (size != kNone) {
      return true;
    }
    if (window_.data().size() >= limit || !window_.grow()) {
      return false;
    }
  }
}

RecordReader::Outcome WarcReader::after_damage() {
  const std::uint64_t at = stream().offset();
  fail_record(window_.damage(), at);
  if (window_.resync()) {
    seek_record(0);
  }
  return Outcome::none;
}

/// Counts the record as lost and goes to the next one at or after data()[from]; to the end when `from` is npos.
RecordReader::Outcome WarcReader::lose(std::string_view reason, std::size_t from) {
  fail_record(reason, offset_);
  if (from == kNone) {
    while (window_.skip(kToTheEnd) > 0) {
    }
    return Outcome::none;
  }
  seek_record(from);
  return Outcome::none;
}

/// Drops what comes before the next line at or after data()[from] that begins a record. False when there is none before
/// the end or the next damage; then nothing is held.
bool WarcReader::seek_record(std::size_t from) {
  for (;;) {
    std::string_view data = window_.data();
    for (std::size_t at = data.find("WARC/", from); at != kNone; at = data.find("WARC/", at + 1)) {
      if (at + kVersionBytes > data.size()) {
        break;
      }
      const bool line = at > 0 ? data[at - 1] == '\n' : false;
      if (begins_warc_record(data.substr(at)) && (line || window_.begins_piece(at))) {
        window_.drop(at);
        return true;
      }
    }
    // Keep the line feed and the six bytes that may be the beginning of a match.
    const std::size_t kept = std::min(data.size(), kVersionBytes);
    const std::size_t dropped = std::max(data.size() - kept, std::min(from, data.size()));
    window_.drop(dropped);
    from = from > dropped ? from - dropped : 0;
    if (!window_.grow()) {
      window_.drop(window_.data().size());
      return false;
    }
  }
}

/// Index of a compressed piece within data()[from, to) that begins with a record: the length before it was a lie.
std::size_t WarcReader::record_inside(std::size_t from, std::size_t to) {
  for (std::size_t at = window_.next_piece(from); at != kNone && at < to; at = window_.next_piece(at)) {
    window_.need(at + kVersionBytes);
    if (begins_warc_record(window_.data().substr(at))) {
      return at;
    }
  }
  return kNone;
}

/// Passes over a record that is not wanted (skip_reason) or too long (empty reason) without holding it.
RecordReader::Outcome WarcReader::pass_over(std::size_t header_size, std::uint64_t length,
                                            std::string_view skip_reason) {
  window_.drop(header_size - 1);  // one byte stays, so that the last one read always has a place
  std::uint64_t left = length;
  while (left > 0) {
    if (window_.data().size() < 2 && !window_.grow()) {
      return window_.damage().empty() ? lose("truncated record", kNone) : after_damage();
    }
    auto part = static_cast<std::size_t>(std::min<std::uint64_t>(left, window_.data().size() - 1));
    const std::size_t inside = record_inside(0, part);
    if (inside != kNone) {
      return lose(kLengthMismatch, inside);
    }
    window_.drop(part);
    left -= part;
  }
  after_separator(1);
  if (damaged_at(1)) {
    return after_damage();
  }
  window_.drop(1);
  if (skip_reason.empty()) {
    return fail_record("record longer than its limit", offset_);
  }
  return skip(skip_reason);
}

/// Index after the CR and LF bytes that begin at data()[at]; reads on while there may be more.
std::size_t WarcReader::after_separator(std::size_t at) {
  for (;;) {
    const std::size_t next = window_.data().find_first_not_of("\r\n", at);
    if (next != kNone) {
      return next;
    }
    at = window_.data().size();
    if (!window_.grow()) {
      return at;
    }
  }
}

/// True when a record can end at data()[end]: the end of the data, a new piece, or another record follows.
bool WarcReader::ends_record(std::size_t end, bool separator_needed) {
  const std::size_t next = after_separator(end);
  if (separator_needed && next == end) {
    return false;
  }
  window_.need(next + kVersionBytes);
  const std::string_view rest = window_.data().substr(next);
  return rest.empty() || begins_warc_record(rest) || window_.begins_piece(next);
}

/// True when the piece that holds data()[end - 1] is damaged further on (a checksum is known only at its end).
bool WarcReader::damaged_at(std::size_t end) const {
  return !window_.damage().empty() && stream().offset() == window_.offset(end - 1);
}

RecordReader::Outcome WarcReader::read_block(std::size_t header_size, std::uint64_t length, Document& document) {
  std::size_t end = header_size + static_cast<std::size_t>(length);
  const bool whole = window_.need(end);
  const std::size_t inside = record_inside(0, std::min(end, window_.data().size()));
  if (inside != kNone) {
    return lose(kLengthMismatch, inside);
  }
  if (!whole) {
    return window_.damage().empty() ? lose("truncated record", header_size) : after_damage();
  }
  if (!ends_record(end, false)) {
    // CC-MAIN-2018-34 wrote an extra CRLF after the HTTP header and did not count it.
    const bool two_short = window_.need(end + 2) && ends_record(end + 2, true);
    if (!two_short) {
      return lose(kLengthMismatch, header_size);
    }
    end += 2;
    counts_.note("Content-Length two bytes short");
  }
  if (damaged_at(end)) {
    return after_damage();
  }
  const std::string_view data = window_.data();
  const Outcome outcome =
      take_block(data.substr(0, header_size), data.substr(header_size, end - header_size), document);
  window_.drop(end);
  return outcome;
}

RecordReader::Outcome WarcReader::take_block(std::string_view head, std::string_view block, Document& document) {
  WarcHeader header;
  parse_warc_header(head, header);  // again: reading the block may have moved the bytes
  if (header.truncated) {
    counts_.note("payload cut short by the crawler");
  }
  if (options().kind == SourceKind::wet) {
    return finish(std::string(block), offset_, header.target_uri, document);
  }
  std::string text;
  const HtmlVerdict verdict = html_from_block(block, header, options(), text);
  switch (verdict.what) {
    case HtmlVerdict::What::text:
      return finish(std::move(text), offset_, header.target_uri, document);
    case HtmlVerdict::What::skipped:
      return skip(verdict.reason);
    case HtmlVerdict::What::failed:
      break;
  }
  return fail_record(verdict.reason, offset_);
}

}  // namespace

std::unique_ptr<DocumentReader> make_warc_reader(std::unique_ptr<ByteStream> stream, const ReaderOptions& options) {
  return std::make_unique<WarcReader>(std::move(stream), options);
}

}  // namespace trireme
