// SPDX-License-Identifier: Apache-2.0
// Writing a shard: the skeleton by HDF5, the arrays by pwrite, then sync and rename.
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "core/base/error.h"
#include "data_pipeline/shards/shard.h"

namespace trireme {
namespace {

void check_content(const std::string& path, const ShardContent& content) {
  const ShardHeader& header = content.header;
  const std::size_t documents = content.ends.size();
  check(documents > 0 && content.addresses.size() == documents && content.hashes.size() == documents,
        "{}: {} ends, {} addresses and {} hashes: one each for one document or more expected", path, documents,
        content.addresses.size(), content.hashes.size());
  check(header.vocabulary >= 1 && header.vocabulary <= std::uint64_t{1} << 31U, "{}: a vocabulary of {}", path,
        header.vocabulary);
  std::uint64_t begin = 0;
  for (const std::uint64_t end : content.ends) {
    check(end > begin, "{}: a document ends at token {}, the one before it at {}", path, end, begin);
    begin = end;
  }
  check(begin == content.tokens.size(), "{}: the documents end at token {} of {}", path, begin, content.tokens.size());
  for (const std::int32_t token : content.tokens) {
    check(token >= 0 && static_cast<std::uint64_t>(token) < header.vocabulary,
          "{}: token {} is outside the vocabulary of {}", path, token, header.vocabulary);
  }
  for (const DocumentAddress& address : content.addresses) {
    check(address.source < content.sources.size(), "{}: source {} of {}", path, address.source, content.sources.size());
  }
}

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

std::string token_bytes(const ShardContent& content) {
  if (content.header.dtype() == Dtype::u32) return bytes_of(content.tokens);
  return bytes_of(std::vector<std::uint16_t>(content.tokens.begin(), content.tokens.end()));
}

std::string block_checksums(const std::string& tokens) {
  std::vector<std::uint64_t> sums;
  for (std::size_t at = 0; at < tokens.size(); at += kShardBlockBytes) {
    sums.push_back(xxh3_64(std::string_view(tokens).substr(at, kShardBlockBytes)));
  }
  return bytes_of(sums);
}

/// The arrays by path, and their description; every array but /tokens carries its own checksum.
struct Arrays {
  Hdf5Layout layout;
  std::map<std::string, std::string> bytes;

  void add(const std::string& path, Dtype dtype, std::vector<std::uint64_t> shape, std::string data) {
    Hdf5Dataset dataset{.path = path, .dtype = dtype, .shape = std::move(shape)};
    if (path != "/tokens") dataset.attributes["xxh3"] = hex(xxh3_64(data));
    layout.datasets.push_back(std::move(dataset));
    bytes[path] = std::move(data);
  }
};

Arrays arrays_of(const ShardContent& content) {
  const ShardHeader& header = content.header;
  Arrays arrays;
  arrays.layout.attributes = {{"format", std::string("trireme.shard")},
                              {"version", kShardVersion},
                              {"tokenizer", header.tokenizer},
                              {"vocabulary", static_cast<std::int64_t>(header.vocabulary)},
                              {"dtype", std::string(name(header.dtype()))},
                              {"bos", header.bos},
                              {"eos", header.eos},
                              {"block_bytes", static_cast<std::int64_t>(kShardBlockBytes)}};
  std::string tokens = token_bytes(content);
  std::string sums = block_checksums(tokens);
  const std::uint64_t blocks = sums.size() / 8;
  const std::uint64_t documents = content.ends.size();
  static_assert(sizeof(DocumentAddress) == 24);
  static_assert(sizeof(Hash128) == 16);
  std::string sources = nlohmann::json(content.sources).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  const std::uint64_t source_bytes = sources.size();
  arrays.add("/tokens", header.dtype(), {content.tokens.size()}, std::move(tokens));
  arrays.add("/checksums", Dtype::u64, {blocks}, std::move(sums));
  arrays.add("/documents", Dtype::u64, {documents}, bytes_of(content.ends));
  arrays.add("/provenance", Dtype::u64, {documents, 3}, bytes_of(content.addresses));
  arrays.add("/text_hashes", Dtype::u64, {documents, 2}, bytes_of(content.hashes));
  arrays.add("/sources", Dtype::u8, {source_bytes}, std::move(sources));
  return arrays;
}

}  // namespace

ShardEntry write_shard(const std::string& path, const ShardContent& content) {
  check_content(path, content);
  Arrays arrays = arrays_of(content);
  const std::filesystem::path target(path);
  const std::string stage =
      (target.parent_path() / fmt::format(".{}.{}.tmp", target.filename().string(), ::getpid())).string();
  std::filesystem::remove(stage);
  try {
    create_hdf5(stage, arrays.layout);
    FileDescriptor file = FileDescriptor::open_write(stage);
    for (const Hdf5Dataset& dataset : arrays.layout.datasets) {
      const std::string& bytes = arrays.bytes.at(dataset.path);
      check(bytes.size() == dataset.bytes, "{}{}: {} bytes for a place of {}", path, dataset.path, bytes.size(),
            dataset.bytes);
      file.pwrite_all(bytes.data(), bytes.size(), dataset.offset);
    }
    file.sync();
    file.close();
    ShardEntry entry = describe_file(stage);
    entry.file = target.filename().string();
    rename_synced(stage, path);
    return entry;
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(stage, ignored);
    throw;
  }
}

ShardEntry describe_file(const std::string& path) {
  const Shard shard(path);
  ShardEntry entry{.file = std::filesystem::path(path).filename().string(),
                   .bytes = shard.file_bytes(),
                   .tokens = shard.tokens(),
                   .documents = shard.documents(),
                   .hash = {}};
  const FileDescriptor file = FileDescriptor::open_read(path);
  Xxh3Stream stream;
  std::vector<char> piece(std::size_t{1} << 20U);
  for (std::uint64_t at = 0; at < entry.bytes; at += piece.size()) {
    const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), entry.bytes - at));
    file.pread_all(piece.data(), part, at);
    stream.update(piece.data(), part);
  }
  entry.hash = stream.digest();
  return entry;
}

}  // namespace trireme
