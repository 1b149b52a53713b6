// SPDX-License-Identifier: Apache-2.0
// Raw files made within the tests: compressed pieces, WARC records, wiki pages; and reading them to the end.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "data_pipeline/source/reader.h"

namespace trireme::testing {

std::string gzip(std::string_view bytes);
std::string bzip2(std::string_view bytes);
std::string zstd(std::string_view bytes);

/// A record with the given type, target and block; Content-Length as it is.
std::string warc_record(std::string_view type, std::string_view uri, std::string_view block);
std::string wet_record(std::string_view uri, std::string_view text);
/// A response block: status line, the given header lines (each with CRLF), body.
std::string http_response(std::string_view fields, std::string_view body);

std::string wiki_head();
std::string wiki_page(std::string_view title, int ns, std::string_view text, bool redirect = false);

struct ReadAll {
  std::vector<Document> documents;
  ReadCounts counts;
};

/// Reads `bytes` to the end with `options` (file name "memory") and checks after each step that the account balances.
ReadAll read_bytes(std::string bytes, ReaderOptions options);
ReadAll read_bytes(std::string bytes, SourceKind kind);
ReadAll read_all(const ReaderOptions& options);

/// The path of a sample file, empty when the samples are not there.
std::string sample(const std::string& name);

}  // namespace trireme::testing
