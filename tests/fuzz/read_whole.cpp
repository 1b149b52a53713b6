// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/read_whole.h"

#include <string>

#include "data_pipeline/source/input_file.h"
#include "tests/fuzz/fuzz.h"

namespace trireme::fuzz {

void read_whole(const std::uint8_t* data, std::size_t size, SourceKind kind) {
  ReaderOptions options;
  options.file = "fuzz";
  options.kind = kind;
  options.max_record_bytes = 4096;
  options.max_header_bytes = 1024;
  const auto file = InputFile::from_memory("fuzz", std::string(reinterpret_cast<const char*>(data), size));
  const auto reader = open_reader(file, options);
  Document document;
  bool more = true;
  while (more) {
    more = reader->next(document);
    const ReadCounts& counts = reader->counts();
    require(counts.records == counts.documents + counts.total_skipped() + counts.total_failed(), "the account is off");
    require(counts.bytes <= size, "more bytes used than there are");
    if (more) {
      require(valid_utf8_prefix(document.text) == document.text.size(), "a text that is not UTF-8");
      require(valid_utf8_prefix(document.uri_or_title) == document.uri_or_title.size(), "a name that is not UTF-8");
      require(document.text.find_first_not_of(" \t\n") != std::string::npos, "an empty text");
      require(document.text.find('\r') == std::string::npos, "a carriage return");
      require(document.offset < size, "an offset outside the file");
    }
  }
  // Units must cover the file once, whatever is in it.
  std::uint64_t next = 0;
  for (const WorkUnit& unit : split(*file, kind, 64)) {
    require(unit.begin == next && unit.end >= unit.begin, "units with a gap");
    next = unit.end;
  }
  require(next == size, "units that do not reach the end");
}

}  // namespace trireme::fuzz
