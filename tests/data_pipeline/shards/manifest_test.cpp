// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/shards/manifest.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "data_pipeline/shards/inspect.h"
#include "tests/core/io/expect_error.h"
#include "tests/core/io/temporary_directory.h"
#include "tests/data_pipeline/shards/example_corpus.h"

namespace trireme {
namespace {

using testing::example_shard;
using testing::expect_error;
using testing::TemporaryDirectory;
using testing::write_corpus;

CorpusManifest small_manifest() {
  CorpusManifest manifest;
  manifest.header = {.tokenizer = "0123456789abcdef0123456789abcdef", .vocabulary = 300, .bos = 1, .eos = 2};
  manifest.settings = R"({"filter": {"min_words": 50}})";
  manifest.key = "00112233445566778899aabbccddeeff";
  manifest.sources = {{.name = "wiki",
                       .kind = "wiki",
                       .files = {{"dump.xml.bz2", 100}},
                       .counts = {.read = 10,
                                  .kept = 6,
                                  .rejected = {{"duplicate", 1}, {"source: redirect", 2}},
                                  .failed = {{"invalid UTF-8", 1}}},
                       .notes = {{"template dropped: cite web", 7}},
                       .tokens = 70},
                      {.name = "text", .kind = "text", .files = {}, .counts = {}, .notes = {}, .tokens = 0}};
  manifest.shards = {{"shard-000000.h5", 5000, 40, 4, xxh3_128("a")}, {"shard-000002.h5", 4000, 30, 2, xxh3_128("b")}};
  return manifest;
}

TEST(Manifest, ReadsBackWhatWasWritten) {
  const TemporaryDirectory directory;
  const std::string path = directory / "corpus.json";
  const CorpusManifest written = small_manifest();
  write_manifest(path, written);
  const CorpusManifest read = read_manifest(path);
  EXPECT_EQ(read.header, written.header);
  EXPECT_EQ(read.sources, written.sources);
  EXPECT_EQ(read.shards, written.shards);
  EXPECT_EQ(read.key, written.key);
  EXPECT_EQ(read.identity(), written.identity());
  EXPECT_EQ(read.counts().read, 10U);
  EXPECT_EQ(manifest_path(directory.path().string()), path);
  EXPECT_EQ(manifest_path(path), path);
}

TEST(Manifest, RefusesAnAccountThatDoesNotAddUp) {
  const TemporaryDirectory directory;
  const auto expect = [&](const std::function<void(CorpusManifest&)>& spoil, const std::string& message) {
    CorpusManifest manifest = small_manifest();
    spoil(manifest);
    expect_error([&] { write_manifest(directory / "corpus.json", manifest); }, {"corpus.json", message});
  };
  expect([](CorpusManifest& m) { m.sources[0].counts.read = 11; }, "documents went missing");
  expect([](CorpusManifest& m) { m.sources[0].counts.rejected["duplicate"] = 0; }, "source wiki");
  expect([](CorpusManifest& m) { m.shards[0].documents = 5; }, "6 documents kept, 7 in the shards");
  expect([](CorpusManifest& m) { m.sources[1].tokens = 1; }, "71 tokens from the sources, 70 in the shards");
  EXPECT_FALSE(std::filesystem::exists(directory / "corpus.json"));
}

TEST(Manifest, RefusesWhatItDidNotWrite) {
  const TemporaryDirectory directory;
  const std::string path = directory / "corpus.json";
  write_manifest(path, small_manifest());
  const std::string good = read_file(path, 1 << 20);
  const auto expect = [&](const std::string& from, const std::string& to, const std::string& message) {
    std::string text = good;
    const std::size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    write_file_atomic(path, text.replace(at, from.size(), to));
    expect_error([&] { read_manifest(path); }, {"corpus.json", message});
  };
  expect("trireme.corpus", "other", "no manifest");
  expect("\"version\": 1", "\"version\": 2", "version 2");
  expect("\"key\"", "\"kex\"", "unknown key 'kex'");
  expect("shard-000000.h5", "../000000.h5", "no name of a shard");
  expect("\"tokens\": 40", "\"tokens\": 41", "tokens");
  expect("\"tokens\": 40", "\"tokens\": 4e1", "whole number");
  expect("\"read\": 10", "\"read\": 12", "corpus.json");
  expect(hex(xxh3_128("a")), "xyz", "hexadecimal");
}

TEST(Manifest, AShardThatIsNotAsItSaysIsNamed) {
  const TemporaryDirectory directory;
  const std::string folder = directory / "c";
  write_corpus(folder, {example_shard(1, 20), example_shard(2, 30)});
  const CorpusManifest manifest = read_manifest(folder + "/corpus.json");
  EXPECT_EQ(open_shard(folder, manifest, manifest.shards[1]).documents(), 30U);
  EXPECT_NO_THROW(describe_corpus(folder, true));
  const std::string first = folder + "/shard-000000.h5";
  const std::string second = folder + "/shard-000001.h5";
  const std::string good = read_file(first, 1 << 20);
  // Another shard of the same size in its place: only the hash tells.
  ShardContent changed = example_shard(1, 20);
  changed.tokens[0] ^= 1;
  write_shard(first, changed);
  EXPECT_NO_THROW(describe_corpus(folder, false));
  expect_error([&] { describe_corpus(folder, true); }, {"shard-000000.h5", "hash", "expected"});
  write_file_atomic(first, good.substr(0, good.size() - 10));
  expect_error([&] { describe_corpus(folder, false); }, {"shard-000000.h5", "corpus.json says", "truncated"});
  write_file_atomic(first, good);
  ShardContent other = example_shard(2, 30);
  other.header.tokenizer[0] = 'f';
  write_shard(second, other);
  expect_error([&] { describe_corpus(folder, false); }, {"shard-000001.h5", "tokenizer"});
  std::filesystem::remove(second);
  expect_error([&] { describe_corpus(folder, false); }, {"shard-000001.h5", "No such file"});
}

}  // namespace
}  // namespace trireme
