// SPDX-License-Identifier: Apache-2.0
#include "tests/data_pipeline/shards/example_corpus.h"

#include <fmt/format.h>

#include <filesystem>

#include "core/base/rng.h"

namespace trireme::testing {

ShardContent example_shard(std::uint64_t seed, std::uint64_t documents, std::uint64_t vocabulary,
                           std::uint64_t longest) {
  const Random random(seed, "example");
  ShardContent content;
  content.header = {.tokenizer = "0123456789abcdef0123456789abcdef",
                    .vocabulary = vocabulary,
                    .bos = -1,
                    .eos = static_cast<std::int64_t>(vocabulary) - 1};
  content.sources = {fmt::format("source-{}.txt", seed), "a \"quoted\" name.txt"};
  for (std::uint64_t d = 0; d < documents; ++d) {
    const std::uint64_t length = 1 + random.below(2 * d, longest);
    for (std::uint64_t i = 0; i + 1 < length; ++i) {
      content.tokens.push_back(static_cast<std::int32_t>(random.below((d << 20U) + i, vocabulary - 1)));
    }
    content.tokens.push_back(static_cast<std::int32_t>(vocabulary - 1));
    content.ends.push_back(content.tokens.size());
    content.addresses.push_back({.source = d % 2, .record = 3 * d, .offset = 1000 * d});
    content.hashes.push_back(xxh3_128(fmt::format("{}-{}", seed, d)));
  }
  return content;
}

std::vector<std::int32_t> write_corpus(const std::string& folder, const std::vector<ShardContent>& shards) {
  std::filesystem::create_directories(folder);
  CorpusManifest manifest;
  manifest.header = shards.at(0).header;
  manifest.settings = "{}";
  manifest.key = "00000000000000000000000000000000";
  CorpusSource source{
      .name = "example", .kind = "text", .files = {{"a.txt", 1}}, .counts = {}, .notes = {}, .tokens = 0};
  std::vector<std::int32_t> stream;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    manifest.shards.push_back(write_shard(fmt::format("{}/shard-{:06}.h5", folder, i), shards[i]));
    stream.insert(stream.end(), shards[i].tokens.begin(), shards[i].tokens.end());
    source.counts.read += shards[i].ends.size();
    source.counts.kept += shards[i].ends.size();
  }
  source.tokens = stream.size();
  manifest.sources.push_back(source);
  write_manifest(folder + "/corpus.json", manifest);
  return stream;
}

void flip_byte(const std::string& path, std::uint64_t offset) {
  const FileDescriptor file = FileDescriptor::open_write(path);
  unsigned char byte = 0;
  file.pread_all(&byte, 1, offset);
  byte ^= 0x10U;
  file.pwrite_all(&byte, 1, offset);
}

}  // namespace trireme::testing
