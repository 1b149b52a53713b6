// SPDX-License-Identifier: Apache-2.0
// One shard: the tokens of one work unit in an HDF5 file, with the end and the origin of each document. docs/formats.md
// says every byte.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/io/atomic_file.h"
#include "core/io/checksum.h"
#include "core/io/hdf5.h"

namespace trireme {

inline constexpr std::int64_t kShardVersion = 1;
/// Bytes of /tokens under one checksum.
inline constexpr std::uint64_t kShardBlockBytes = 65536;

/// What decides the meaning of the ids.
struct ShardHeader {
  std::string tokenizer;         // its hash, 32 hexadecimal digits
  std::uint64_t vocabulary = 0;  // every id is below it; u16 on disk up to 65536, u32 above
  std::int64_t bos = -1;         // the id put before each document, -1 for none
  std::int64_t eos = -1;         // the id put after each document, -1 for none

  Dtype dtype() const { return vocabulary <= 65536 ? Dtype::u16 : Dtype::u32; }
  bool operator==(const ShardHeader&) const = default;
};

/// Where a document's text came from.
struct DocumentAddress {
  std::uint64_t source = 0;  // index of the file in the shard's list of sources
  std::uint64_t record = 0;  // number of the record in the work unit, from 0
  std::uint64_t offset = 0;  // byte offset in the file of the record, or of the compressed piece that it begins in

  bool operator==(const DocumentAddress&) const = default;
};

/// A shard in memory. ends, addresses and hashes have one element per document; ends.back() == tokens.size().
struct ShardContent {
  ShardHeader header;
  std::vector<std::string> sources;
  std::vector<std::int32_t> tokens;
  std::vector<std::uint64_t> ends;  // one past the last token of each document, BOS and EOS included
  std::vector<DocumentAddress> addresses;
  std::vector<Hash128> hashes;  // XXH3-128 of each document's text
};

/// What the manifest says about a shard.
struct ShardEntry {
  std::string file;  // name within the corpus's folder
  std::uint64_t bytes = 0;
  std::uint64_t tokens = 0;
  std::uint64_t documents = 0;
  Hash128 hash;  // XXH3-128 of the whole file

  bool operator==(const ShardEntry&) const = default;
};

/// Writes the shard beside `path` under a temporary name, syncs it and renames it, replacing what was there. At least
/// one document, and none without tokens. The same content is always the same bytes.
ShardEntry write_shard(const std::string& path, const ShardContent& content);
/// The entry of an existing file: its size and hash, and the counts in it.
ShardEntry describe_file(const std::string& path);

/// A shard on disk, read at offsets. Opening checks its structure; each block of tokens is compared with its checksum
/// when it is first touched. Errors name the shard and the block. Not for several threads at once.
class Shard {
 public:
  explicit Shard(const std::string& path);

  const std::string& path() const { return path_; }
  const ShardHeader& header() const { return header_; }
  std::uint64_t tokens() const { return tokens_; }
  std::uint64_t documents() const { return documents_; }
  std::uint64_t file_bytes() const { return file_.size(); }
  /// Files that the documents came from.
  std::vector<std::string> sources() const;

  /// Tokens [first, first + out.size()), each checked to be below the vocabulary.
  void read_tokens(std::uint64_t first, std::span<std::int32_t> out);
  /// The document that holds this token: the first whose end is beyond it.
  std::uint64_t document_at(std::uint64_t token);
  /// One past the last token of this document.
  std::uint64_t document_end(std::uint64_t document);
  DocumentAddress address(std::uint64_t document) const;
  Hash128 text_hash(std::uint64_t document) const;
  /// Of all documents.
  std::vector<Hash128> text_hashes() const;
  /// Everything, checked as verify() does.
  ShardContent read_all();
  /// Compares every byte of data with its checksum and every value with its bounds.
  void verify();
  /// A digest of the checksums of all data: equal for equal content.
  Hash128 identity() const;

 private:
  const Hdf5Dataset& dataset(const char* path, Dtype dtype, std::vector<std::uint64_t> shape) const;
  void verify_block(std::uint64_t block);
  void verify_dataset(const Hdf5Dataset& dataset) const;
  void verify_ends();
  std::uint64_t end_at(std::uint64_t document) const;

  std::string path_;
  FileDescriptor file_;
  Hdf5Layout layout_;
  ShardHeader header_;
  std::uint64_t tokens_ = 0;
  std::uint64_t documents_ = 0;
  const Hdf5Dataset* token_data_ = nullptr;
  const Hdf5Dataset* ends_data_ = nullptr;
  const Hdf5Dataset* checksum_data_ = nullptr;
  std::vector<bool> verified_;  // by block
  bool ends_verified_ = false;
  std::vector<unsigned char> scratch_;
};

}  // namespace trireme
