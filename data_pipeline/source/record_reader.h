// SPDX-License-Identifier: Apache-2.0
// What the readers share: the account, the address of a record in messages, and the last step to a clean document.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "data_pipeline/source/byte_stream.h"
#include "data_pipeline/source/reader.h"

namespace trireme {

/// A reader that looks at one record at a time.
class RecordReader : public DocumentReader {
 public:
  bool next(Document& document) final;
  const ReadCounts& counts() const final { return counts_; }

 protected:
  enum class Outcome { document, none, end };

  RecordReader(std::unique_ptr<ByteStream> stream, ReaderOptions options)
      : stream_(std::move(stream)), options_(std::move(options)) {}

  /// Counts the records that it meets up to and including the next document.
  virtual Outcome read_record(Document& document) = 0;
  /// Decompressed bytes used so far.
  virtual std::uint64_t decoded() const = 0;

  /// Normalises `text` and makes a document of it, or counts why not.
  Outcome finish(std::string text, std::uint64_t offset, std::string_view uri_or_title, Document& document);
  Outcome skip(std::string_view reason);
  Outcome fail_record(std::string_view reason, std::uint64_t offset);

  ByteStream& stream() const { return *stream_; }
  const ReaderOptions& options() const { return options_; }

  ReadCounts counts_;

 private:
  std::unique_ptr<ByteStream> stream_;
  ReaderOptions options_;
};

std::unique_ptr<DocumentReader> make_warc_reader(std::unique_ptr<ByteStream> stream, const ReaderOptions& options);
/// `prologue`: the file from its beginning when the range begins later, for the names of the namespaces; else null.
std::unique_ptr<DocumentReader> make_wiki_reader(std::unique_ptr<ByteStream> stream,
                                                 std::unique_ptr<ByteStream> prologue, const ReaderOptions& options);
std::unique_ptr<DocumentReader> make_jsonl_reader(std::unique_ptr<ByteStream> stream, const ReaderOptions& options);
std::unique_ptr<DocumentReader> make_text_reader(std::unique_ptr<ByteStream> stream, const ReaderOptions& options);

}  // namespace trireme
