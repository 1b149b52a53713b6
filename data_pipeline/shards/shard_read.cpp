// SPDX-License-Identifier: Apache-2.0
// Reading a shard: the description by HDF5, the arrays by pread, each byte compared with its checksum before it is
// used.
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>

#include "core/base/error.h"
#include "core/io/json.h"
#include "data_pipeline/shards/shard.h"

namespace trireme {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20U;  // bytes read at a time when all are wanted

const std::string& shard_text(const Hdf5Layout& layout, const char* name, const std::string& path) {
  return text_attribute(layout.attributes, name, path);
}

ShardHeader read_header(const Hdf5Layout& layout, const std::string& path) {
  check(layout.attributes.contains("format") && shard_text(layout, "format", path) == "trireme.shard",
        "{} is no Trireme shard (no attribute format = trireme.shard)", path);
  const std::int64_t version = int_attribute(layout.attributes, "version", path);
  check(version == kShardVersion, "{}: shard format version {}; this program reads version {}", path, version,
        kShardVersion);
  ShardHeader header;
  header.tokenizer = shard_text(layout, "tokenizer", path);
  const std::int64_t vocabulary = int_attribute(layout.attributes, "vocabulary", path);
  check(vocabulary >= 1 && vocabulary <= std::int64_t{1} << 31U, "{}: a vocabulary of {}", path, vocabulary);
  header.vocabulary = static_cast<std::uint64_t>(vocabulary);
  header.bos = int_attribute(layout.attributes, "bos", path);
  header.eos = int_attribute(layout.attributes, "eos", path);
  check(header.bos >= -1 && header.bos < vocabulary && header.eos >= -1 && header.eos < vocabulary,
        "{}: bos {} or eos {} outside the vocabulary of {}", path, header.bos, header.eos, vocabulary);
  check(shard_text(layout, "dtype", path) == name(header.dtype()), "{}: dtype {} for a vocabulary of {}, {} expected",
        path, shard_text(layout, "dtype", path), vocabulary, name(header.dtype()));
  const std::int64_t block = int_attribute(layout.attributes, "block_bytes", path);
  check(block == static_cast<std::int64_t>(kShardBlockBytes), "{}: blocks of {} bytes, {} expected", path, block,
        kShardBlockBytes);
  return header;
}

std::uint64_t elements(const Hdf5Layout& layout, const char* name, const std::string& path) {
  const Hdf5Dataset* dataset = layout.find(name);
  check(dataset != nullptr, "{}: no dataset {}", path, name);
  return dataset->shape[0];
}

/// Widens ids at `raw` to `out`; returns the largest.
template <class T>
std::uint32_t widen(const unsigned char* raw, std::span<std::int32_t> out) {
  std::uint32_t largest = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    T id = 0;
    std::memcpy(&id, raw + i * sizeof(T), sizeof(T));
    out[i] = static_cast<std::int32_t>(id);
    largest = std::max<std::uint32_t>(largest, id);
  }
  return largest;
}

}  // namespace

Shard::Shard(const std::string& path)
    : path_(path), file_(FileDescriptor::open_read(path)), layout_(read_hdf5(path, {.objects = 16})) {
  header_ = read_header(layout_, path_);
  tokens_ = elements(layout_, "/tokens", path_);
  documents_ = elements(layout_, "/documents", path_);
  check(documents_ >= 1 && documents_ <= tokens_, "{}: {} documents with {} tokens", path_, documents_, tokens_);
  const std::uint64_t token_bytes = tokens_ * size_of(header_.dtype());
  const std::uint64_t blocks = (token_bytes + kShardBlockBytes - 1) / kShardBlockBytes;
  token_data_ = &dataset("/tokens", header_.dtype(), {tokens_});
  ends_data_ = &dataset("/documents", Dtype::u64, {documents_});
  checksum_data_ = &dataset("/checksums", Dtype::u64, {blocks});
  dataset("/provenance", Dtype::u64, {documents_, 3});
  dataset("/text_hashes", Dtype::u64, {documents_, 2});
  dataset("/sources", Dtype::u8, {elements(layout_, "/sources", path_)});
  check(layout_.datasets.size() == 6, "{}: {} datasets, 6 expected", path_, layout_.datasets.size());
  verified_.resize(blocks);
}

const Hdf5Dataset& Shard::dataset(const char* path, Dtype dtype, std::vector<std::uint64_t> shape) const {
  const Hdf5Dataset* found = layout_.find(path);
  check(found != nullptr, "{}: no dataset {}", path_, path);
  check(found->dtype == dtype && found->shape == shape, "{}{}: {} of shape [{}] found, {} of shape [{}] expected",
        path_, path, name(found->dtype), fmt::join(found->shape, ", "), name(dtype), fmt::join(shape, ", "));
  return *found;
}

void Shard::verify_block(std::uint64_t block) {
  const std::uint64_t begin = block * kShardBlockBytes;
  const auto bytes = static_cast<std::size_t>(std::min(kShardBlockBytes, token_data_->bytes - begin));
  scratch_.resize(kShardBlockBytes);
  file_.pread_all(scratch_.data(), bytes, token_data_->offset + begin);
  std::uint64_t expected = 0;
  file_.pread_all(&expected, 8, checksum_data_->offset + 8 * block);
  const std::uint64_t found = xxh3_64(scratch_.data(), bytes);
  check(found == expected,
        "{}: block {} of /tokens (bytes {} to {} of the file) is damaged: checksum {} expected, {} found", path_, block,
        token_data_->offset + begin, token_data_->offset + begin + bytes, hex(expected), hex(found));
  verified_[block] = true;
}

void Shard::read_tokens(std::uint64_t first, std::span<std::int32_t> out) {
  check(first <= tokens_ && out.size() <= tokens_ - first, "{}: tokens {} to {} wanted, there are {}", path_, first,
        first + out.size(), tokens_);
  if (out.empty()) return;
  const std::uint64_t width = size_of(header_.dtype());
  const std::uint64_t last = (first + out.size()) * width - 1;
  for (std::uint64_t block = first * width / kShardBlockBytes; block <= last / kShardBlockBytes; ++block) {
    if (!verified_[block]) verify_block(block);
  }
  // Narrow ids are read into the upper half of `out` and widened from there, front to back.
  auto* const raw = reinterpret_cast<unsigned char*>(out.data()) + out.size() * (4 - width);
  file_.pread_all(raw, out.size() * width, token_data_->offset + first * width);
  const std::uint32_t largest = width == 2 ? widen<std::uint16_t>(raw, out) : widen<std::uint32_t>(raw, out);
  if (largest >= header_.vocabulary) [[unlikely]] {
    const auto bad = std::find_if(out.begin(), out.end(), [&](std::int32_t id) {
      return static_cast<std::uint64_t>(static_cast<std::uint32_t>(id)) >= header_.vocabulary;
    });
    const std::uint64_t at = first + static_cast<std::uint64_t>(bad - out.begin());
    fail("{}: token {} (block {}) is {}, outside the vocabulary of {}", path_, at, at * width / kShardBlockBytes,
         static_cast<std::uint32_t>(*bad), header_.vocabulary);
  }
}

void Shard::verify_dataset(const Hdf5Dataset& data) const {
  const std::string what = path_ + data.path;
  const std::uint64_t expected = hash64_from_hex(text_attribute(data.attributes, "xxh3", what), what);
  std::string bytes(static_cast<std::size_t>(data.bytes), '\0');
  file_.pread_all(bytes.data(), bytes.size(), data.offset);
  const std::uint64_t found = xxh3_64(bytes);
  check(found == expected, "{} (bytes {} to {} of the file) is damaged: checksum {} expected, {} found", what,
        data.offset, data.offset + data.bytes, hex(expected), hex(found));
}

std::uint64_t Shard::end_at(std::uint64_t document) const {
  std::uint64_t end = 0;
  file_.pread_all(&end, 8, ends_data_->offset + 8 * document);
  return end;
}

void Shard::verify_ends() {
  if (ends_verified_) return;
  verify_dataset(*ends_data_);
  std::vector<std::uint64_t> piece(kPiece / 8);
  std::uint64_t previous = 0;
  for (std::uint64_t at = 0; at < documents_; at += piece.size()) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), documents_ - at));
    file_.pread_all(piece.data(), 8 * count, ends_data_->offset + 8 * at);
    for (std::size_t i = 0; i < count; ++i) {
      check(piece[i] > previous && piece[i] <= tokens_,
            "{}: document {} ends at token {}, the one before it at {}, and there are {} tokens", path_, at + i,
            piece[i], previous, tokens_);
      previous = piece[i];
    }
  }
  check(previous == tokens_, "{}: the documents end at token {} of {}", path_, previous, tokens_);
  ends_verified_ = true;
}

std::uint64_t Shard::document_end(std::uint64_t document) {
  verify_ends();
  check(document < documents_, "{}: document {} of {}", path_, document, documents_);
  return end_at(document);
}

std::uint64_t Shard::document_at(std::uint64_t token) {
  verify_ends();
  check(token < tokens_, "{}: token {} of {}", path_, token, tokens_);
  std::uint64_t low = 0;
  std::uint64_t high = documents_ - 1;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    if (end_at(middle) > token) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

DocumentAddress Shard::address(std::uint64_t document) const {
  check(document < documents_, "{}: document {} of {}", path_, document, documents_);
  DocumentAddress address;
  file_.pread_all(&address, sizeof address, layout_.find("/provenance")->offset + sizeof address * document);
  return address;
}

Hash128 Shard::text_hash(std::uint64_t document) const {
  check(document < documents_, "{}: document {} of {}", path_, document, documents_);
  Hash128 hash;
  file_.pread_all(&hash, sizeof hash, layout_.find("/text_hashes")->offset + sizeof hash * document);
  return hash;
}

std::vector<Hash128> Shard::text_hashes() const {
  const Hdf5Dataset& data = *layout_.find("/text_hashes");
  verify_dataset(data);
  std::vector<Hash128> hashes(static_cast<std::size_t>(documents_));
  file_.pread_all(hashes.data(), static_cast<std::size_t>(data.bytes), data.offset);
  return hashes;
}

std::vector<std::string> Shard::sources() const {
  const Hdf5Dataset& data = *layout_.find("/sources");
  verify_dataset(data);
  std::string text(static_cast<std::size_t>(data.bytes), '\0');
  file_.pread_all(text.data(), text.size(), data.offset);
  const std::string where = path_ + "/sources";
  const nlohmann::json list = parse_json(text, where);
  check(list.is_array(), "{}: a list of file names expected", where);
  std::vector<std::string> names;
  for (const nlohmann::json& item : list) {
    check(item.is_string(), "{}: a list of file names expected", where);
    names.push_back(item.get<std::string>());
  }
  return names;
}

void Shard::verify() {
  for (const Hdf5Dataset& data : layout_.datasets) {
    if (data.path != "/tokens") verify_dataset(data);
  }
  verify_ends();
  std::vector<std::int32_t> piece(kPiece / 4);
  std::fill(verified_.begin(), verified_.end(), false);
  for (std::uint64_t at = 0; at < tokens_; at += piece.size()) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), tokens_ - at));
    read_tokens(at, std::span(piece).first(count));
  }
  const std::uint64_t files = sources().size();
  std::vector<DocumentAddress> addresses(static_cast<std::size_t>(documents_));
  file_.pread_all(addresses.data(), sizeof(DocumentAddress) * addresses.size(), layout_.find("/provenance")->offset);
  for (std::size_t document = 0; document < addresses.size(); ++document) {
    check(addresses[document].source < files, "{}: document {} is from source {} of {}", path_, document,
          addresses[document].source, files);
  }
}

ShardContent Shard::read_all() {
  verify();
  ShardContent content;
  content.header = header_;
  content.sources = sources();
  content.tokens.resize(static_cast<std::size_t>(tokens_));
  read_tokens(0, content.tokens);
  content.ends.resize(static_cast<std::size_t>(documents_));
  file_.pread_all(content.ends.data(), ends_data_->bytes, ends_data_->offset);
  content.addresses.resize(content.ends.size());
  const Hdf5Dataset& addresses = *layout_.find("/provenance");
  file_.pread_all(content.addresses.data(), addresses.bytes, addresses.offset);
  content.hashes = text_hashes();
  return content;
}

Hash128 Shard::identity() const {
  std::string all;
  for (const Hdf5Dataset& data : layout_.datasets) {
    if (data.path != "/tokens") all += text_attribute(data.attributes, "xxh3", path_ + data.path);
  }
  return xxh3_128(all);
}

}  // namespace trireme
