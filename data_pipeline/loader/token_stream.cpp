// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/loader/token_stream.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/base/error.h"

namespace trireme {
namespace {

/// A manifest for a shard that stands alone.
CorpusManifest manifest_of(const std::string& path) {
  const Shard shard(path);
  CorpusManifest manifest;
  manifest.header = shard.header();
  manifest.shards = {{.file = std::filesystem::path(path).filename().string(),
                      .bytes = shard.file_bytes(),
                      .tokens = shard.tokens(),
                      .documents = shard.documents(),
                      .hash = shard.identity()}};
  return manifest;
}

/// The document end (or 0) nearest to `wanted` tokens, the earlier of two.
std::uint64_t nearest_end(Shard& shard, double wanted) {
  if (wanted <= 0) return 0;
  const auto target = static_cast<std::uint64_t>(wanted);
  if (target >= shard.tokens()) return shard.tokens();
  const std::uint64_t document = shard.document_at(target);
  const std::uint64_t before = document == 0 ? 0 : shard.document_end(document - 1);
  const std::uint64_t after = shard.document_end(document);
  return wanted - static_cast<double>(before) <= static_cast<double>(after) - wanted ? before : after;
}

}  // namespace

TokenStream::TokenStream(const std::string& path, Split split, double validation_fraction, std::size_t most_open)
    : most_open_(std::max<std::size_t>(1, most_open)), path_(path) {
  check_usage(std::filesystem::exists(path), "no corpus at {}: the folder that `trireme data` wrote is expected", path);
  const bool single = std::filesystem::path(path).extension() == ".h5";
  const std::string file = single ? path : manifest_path(path);
  check_usage(std::filesystem::exists(file), "{} is missing: `trireme data` has not finished this corpus", file);
  manifest_ = single ? manifest_of(file) : read_manifest(file);
  folder_ = std::filesystem::path(file).parent_path().string();
  identity_ = hex(manifest_.identity());
  for (std::size_t entry = 0; entry < manifest_.shards.size(); ++entry) {
    add_segment(entry, split, validation_fraction);
  }
}

void TokenStream::add_segment(std::size_t entry, Split split, double validation_fraction) {
  const std::uint64_t tokens = manifest_.shards[entry].tokens;
  std::uint64_t cut = tokens;
  // Shards are opened here only where the cut needs their documents: a start is instant otherwise.
  if (validation_fraction > 0) cut = nearest_end(shard(entry), (1 - validation_fraction) * static_cast<double>(tokens));
  const Segment segment{.entry = entry,
                        .first = tokens_,
                        .begin = split == Split::train ? 0 : cut,
                        .end = split == Split::train ? cut : tokens};
  if (segment.begin == segment.end) return;
  segments_.push_back(segment);
  tokens_ += segment.end - segment.begin;
}

Shard& TokenStream::shard(std::size_t entry) {
  const auto found = std::find_if(open_.begin(), open_.end(), [&](const auto& item) { return item.first == entry; });
  if (found != open_.end()) {
    open_.splice(open_.begin(), open_, found);
  } else {
    if (open_.size() >= most_open_) open_.pop_back();
    open_.emplace_front(entry, open_shard(folder_, manifest_, manifest_.shards[entry]));
  }
  return open_.front().second;
}

template <class Body>
void TokenStream::for_each_piece(std::uint64_t first, std::span<std::int32_t> out, const Body& body) {
  check(first <= tokens_ && out.size() <= tokens_ - first, "{}: tokens {} to {} wanted, there are {}", path_, first,
        first + out.size(), tokens_);
  auto segment = std::upper_bound(segments_.begin(), segments_.end(), first,
                                  [](std::uint64_t token, const Segment& s) { return token < s.first; });
  for (--segment; !out.empty(); ++segment) {
    const std::uint64_t at = segment->begin + (first - segment->first);
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), segment->end - at));
    body(shard(segment->entry), at, out.first(count));
    out = out.subspan(count);
    first += count;
  }
}

void TokenStream::read(std::uint64_t first, std::span<std::int32_t> out) {
  if (out.empty()) return;
  for_each_piece(first, out,
                 [](Shard& shard, std::uint64_t at, std::span<std::int32_t> part) { shard.read_tokens(at, part); });
}

void TokenStream::read_document_starts(std::uint64_t first, std::span<std::int32_t> out) {
  if (out.empty()) return;
  const auto mark = [&](Shard& shard, std::uint64_t at, std::span<std::int32_t> part) {
    const auto offset = static_cast<std::size_t>(part.data() - out.data());
    std::uint64_t document = shard.document_at(at);
    std::uint64_t begin = document == 0 ? 0 : shard.document_end(document - 1);
    std::uint64_t end = shard.document_end(document);
    for (std::size_t i = 0; i < part.size(); ++i) {
      if (at + i == end) {
        begin = end;
        end = shard.document_end(++document);
      }
      // A shard begins with a document, so the start is in this piece or before the whole window.
      part[i] = begin >= at ? static_cast<std::int32_t>(offset + (begin - at)) : 0;
    }
  };
  for_each_piece(first, out, mark);
}

}  // namespace trireme
