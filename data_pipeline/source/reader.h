// SPDX-License-Identifier: Apache-2.0
// From a raw file to clean documents: the five kinds of source, their limits, and the cutting of files into work units.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data_pipeline/extract/normalize.h"
#include "data_pipeline/source/document.h"

namespace trireme {

class InputFile;

/// What a file holds. Compression (gzip, bzip2, zstd, none) is told from its first bytes, never from its name.
enum class SourceKind { wet, warc, wiki, jsonl, text };

/// The kind called `name` ("wet", "warc", "wiki", "jsonl", "text"); a usage error that lists them otherwise.
SourceKind source_kind(std::string_view name);
std::string_view source_kind_name(SourceKind kind);
/// The kind that a file's name suggests (.warc.wet.gz, .warc.gz, .xml.bz2, .jsonl.zst, .txt, ...); a usage error if
/// none.
SourceKind guess_source_kind(std::string_view file);

constexpr std::uint64_t kToTheEnd = std::numeric_limits<std::uint64_t>::max();

/// What to read and how much of anything to accept.
struct ReaderOptions {
  std::string file;
  SourceKind kind = SourceKind::text;
  std::uint64_t begin = 0;  ///< byte range of the work unit
  std::uint64_t end = kToTheEnd;
  std::uint64_t max_record_bytes = 16u << 20;  ///< a longer record, page or line is counted and passed over
  std::uint64_t max_header_bytes = 64u << 10;  ///< WARC and HTTP header blocks
  std::uint64_t max_ratio = 1000;              ///< decompressed : compressed, judged after the first MiB
  std::string json_text_field = "text";        ///< JSONL: top-level field that holds the text
  bool blank_lines_separate = false;           ///< text: documents end at a blank line, not at the end of the file
  InvalidUtf8 invalid_utf8 = InvalidUtf8::fail;
  bool extract = true;  ///< false: HTML and wikitext are handed on as they are
};

/// A stream of documents out of one work unit.
class DocumentReader {
 public:
  virtual ~DocumentReader() = default;
  /// True with the next document; false at the end. Bad records are counted and passed over, never thrown.
  virtual bool next(Document& document) = 0;
  /// The account so far; it balances after every call of next().
  virtual const ReadCounts& counts() const = 0;
};

/// A reader over `options.file`. Throws when the file cannot be opened or is not a regular file.
std::unique_ptr<DocumentReader> open_reader(const ReaderOptions& options);
/// The same over a file that is already open, or bytes in memory.
std::unique_ptr<DocumentReader> open_reader(const std::shared_ptr<const InputFile>& file, const ReaderOptions& options);

/// A range of a file that can be read alone. The units of a file cover it once, whatever the number of ranks.
struct WorkUnit {
  std::string file;
  SourceKind kind = SourceKind::text;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t index = 0;  ///< number of the unit within its file

  bool operator==(const WorkUnit&) const = default;
};

/// Cuts `file` into units of about `target_bytes` where a record, page or line surely begins; one unit where none does.
/// The cuts depend on the file, the kind and `target_bytes` alone.
std::vector<WorkUnit> split(const std::string& file, SourceKind kind, std::uint64_t target_bytes,
                            bool blank_lines_separate = false);
std::vector<WorkUnit> split(const InputFile& file, SourceKind kind, std::uint64_t target_bytes,
                            bool blank_lines_separate = false);

}  // namespace trireme
