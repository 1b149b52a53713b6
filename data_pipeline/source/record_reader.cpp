// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/source/record_reader.h"

#include <fmt/format.h>

namespace trireme {

bool RecordReader::next(Document& document) {
  Outcome outcome = Outcome::none;
  while (outcome == Outcome::none) {
    outcome = read_record(document);
  }
  counts_.bytes = stream_->consumed();
  counts_.decoded_bytes = decoded();
  return outcome == Outcome::document;
}

RecordReader::Outcome RecordReader::finish(std::string text, std::uint64_t offset, std::string_view uri_or_title,
                                           Document& document) {
  const std::string_view reason = normalize_text(text, options_.invalid_utf8);
  if (!reason.empty()) {
    return fail_record(reason, offset);
  }
  if (text.find_first_not_of(" \t\n") == std::string::npos) {
    return skip("no text");
  }
  document.text = std::move(text);
  document.source = options_.file;
  document.record = counts_.records;
  document.offset = offset;
  // A name from the file may hold anything; what is not UTF-8 must not reach logs and attributes.
  document.uri_or_title = replace_invalid_utf8(uri_or_title);
  ++counts_.records;
  ++counts_.documents;
  return Outcome::document;
}

RecordReader::Outcome RecordReader::skip(std::string_view reason) {
  counts_.skip(reason);
  return Outcome::none;
}

RecordReader::Outcome RecordReader::fail_record(std::string_view reason, std::uint64_t offset) {
  counts_.fail(reason, fmt::format("{}: record {} at byte {}: {}", options_.file, counts_.records, offset, reason));
  return Outcome::none;
}

}  // namespace trireme
