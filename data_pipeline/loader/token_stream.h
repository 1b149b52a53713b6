// SPDX-License-Identifier: Apache-2.0
// One corpus as one long stream of tokens: the part of each shard that belongs to a split, one after another.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data_pipeline/loader/loader.h"
#include "data_pipeline/shards/manifest.h"

namespace trireme {

/// Reads windows of the stream. Not for several threads at once.
class TokenStream {
 public:
  /// `path`: a corpus's folder, its corpus.json, or one shard. The validation split of a shard is its last documents:
  /// those after the document end that is nearest to (1 - validation_fraction) of its tokens; the train split is what
  /// is before. At most `most_open` shards are open at a time.
  TokenStream(const std::string& path, Split split, double validation_fraction, std::size_t most_open);

  const std::string& path() const { return path_; }
  const ShardHeader& header() const { return manifest_.header; }
  /// Equal for equal data, whatever its place: keys the order.
  const std::string& identity() const { return identity_; }
  std::uint64_t tokens() const { return tokens_; }

  /// Tokens [first, first + out.size()) of the stream.
  void read(std::uint64_t first, std::span<std::int32_t> out);
  /// out[i]: the token that begins the document of token first + i, counted from `first`; 0 where that is before
  /// `first`.
  void read_document_starts(std::uint64_t first, std::span<std::int32_t> out);

 private:
  /// Tokens [begin, end) of a shard, in the stream from `first` on.
  struct Segment {
    std::size_t entry = 0;
    std::uint64_t first = 0;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };

  void add_segment(std::size_t entry, Split split, double validation_fraction);
  /// The open shard of an entry; the least recently used one is closed when too many are open.
  Shard& shard(std::size_t entry);
  /// Calls body(shard, first token in the shard, part of `out`) for each piece of [first, first + out.size()).
  template <class Body>
  void for_each_piece(std::uint64_t first, std::span<std::int32_t> out, const Body& body);

  std::size_t most_open_;
  std::string path_;
  std::string folder_;
  CorpusManifest manifest_;
  std::string identity_;
  std::vector<Segment> segments_;
  std::uint64_t tokens_ = 0;
  std::list<std::pair<std::size_t, Shard>> open_;  // the most recently used first
};

}  // namespace trireme
