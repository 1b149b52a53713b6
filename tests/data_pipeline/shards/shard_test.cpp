// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/shards/shard.h"

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
using testing::flip_byte;
using testing::TemporaryDirectory;

TEST(Shard, ReadsBackWhatWasWrittenInBothWidths) {
  const TemporaryDirectory directory;
  for (const std::uint64_t vocabulary : {1000U, 65536U, 65537U, 200000U}) {
    const ShardContent written = example_shard(1, 3000, vocabulary);
    const std::string path = directory / fmt::format("{}.h5", vocabulary);
    const ShardEntry entry = write_shard(path, written);
    EXPECT_EQ(entry.bytes, std::filesystem::file_size(path));
    EXPECT_EQ(entry.tokens, written.tokens.size());
    EXPECT_EQ(entry.documents, 3000U);
    EXPECT_EQ(entry, describe_file(path));
    Shard shard(path);
    EXPECT_EQ(shard.header(), written.header);
    EXPECT_EQ(shard.sources(), written.sources);
    const ShardContent read = shard.read_all();
    EXPECT_EQ(read.tokens, written.tokens);
    EXPECT_EQ(read.ends, written.ends);
    EXPECT_EQ(read.addresses, written.addresses);
    EXPECT_EQ(read.hashes, written.hashes);
  }
  EXPECT_EQ(read_hdf5(directory / "65536.h5").find("/tokens")->dtype, Dtype::u16);
  EXPECT_EQ(read_hdf5(directory / "65537.h5").find("/tokens")->dtype, Dtype::u32);
}

TEST(Shard, ReadsAnyRangeAndFindsItsDocuments) {
  const TemporaryDirectory directory;
  const ShardContent content = example_shard(2, 5000);  // more than one block of 32768 tokens
  write_shard(directory / "a.h5", content);
  Shard shard(directory / "a.h5");
  ASSERT_GT(content.tokens.size(), 70000U);
  for (const std::uint64_t first : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{32767}, std::uint64_t{65530}}) {
    for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{17}, std::size_t{3000}}) {
      std::vector<std::int32_t> out(count);
      shard.read_tokens(first, out);
      const auto begin = content.tokens.begin() + static_cast<std::ptrdiff_t>(first);
      ASSERT_EQ(out, std::vector<std::int32_t>(begin, begin + static_cast<std::ptrdiff_t>(count)));
    }
  }
  std::uint64_t document = 0;
  for (std::uint64_t token = 0; token < shard.tokens(); token += 7) {
    while (content.ends[document] <= token) ++document;
    ASSERT_EQ(shard.document_at(token), document) << token;
  }
  EXPECT_EQ(shard.document_end(10), content.ends[10]);
  EXPECT_EQ(shard.address(11), content.addresses[11]);
  EXPECT_EQ(shard.text_hash(12), content.hashes[12]);
  std::vector<std::int32_t> out(2);
  expect_error([&] { shard.read_tokens(shard.tokens() - 1, out); }, {"a.h5", "there are"});
  expect_error([&] { shard.document_at(shard.tokens()); }, {"a.h5", "token"});
  expect_error([&] { shard.document_end(5000); }, {"a.h5", "document 5000 of 5000"});
}

TEST(Shard, TheSameContentIsTheSameBytes) {
  const TemporaryDirectory directory;
  const ShardEntry a = write_shard(directory / "a.h5", example_shard(3, 100));
  const ShardEntry b = write_shard(directory / "b.h5", example_shard(3, 100));
  EXPECT_EQ(a.hash, b.hash);
  EXPECT_EQ(read_file(directory / "a.h5", 1 << 20), read_file(directory / "b.h5", 1 << 20));
  EXPECT_NE(a.hash, write_shard(directory / "b.h5", example_shard(4, 100)).hash);
  EXPECT_EQ(describe_file(directory / "b.h5").tokens, example_shard(4, 100).tokens.size()) << "replaced";
}

TEST(Shard, RefusesContentThatIsNone) {
  const TemporaryDirectory directory;
  const auto expect = [&](const std::function<void(ShardContent&)>& spoil, const std::string& message) {
    ShardContent content = example_shard(5, 10);
    spoil(content);
    expect_error([&] { write_shard(directory / "a.h5", content); }, {"a.h5", message});
  };
  expect([](ShardContent& c) { c.tokens[3] = 1000; }, "token 1000 is outside the vocabulary of 1000");
  expect([](ShardContent& c) { c.tokens[3] = -1; }, "token -1");
  expect([](ShardContent& c) { c.ends[4] = c.ends[3]; }, "a document ends");
  expect([](ShardContent& c) { c.tokens.push_back(1); }, "the documents end");
  expect([](ShardContent& c) { c.hashes.pop_back(); }, "9 hashes");
  expect([](ShardContent& c) { c.addresses[0].source = 2; }, "source 2 of 2");
  expect([](ShardContent& c) { c.ends.clear(), c.addresses.clear(), c.hashes.clear(); }, "one document or more");
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
  expect_error([&] { write_shard(directory / "no/a.h5", example_shard(5, 10)); }, {"cannot create"});
}

TEST(Shard, AFlippedByteIsAnErrorThatNamesShardAndBlock) {
  const TemporaryDirectory directory;
  const ShardContent content = example_shard(6, 5000);
  const std::string path = directory / "a.h5";
  write_shard(path, content);
  const Hdf5Layout layout = read_hdf5(path);
  const std::uint64_t tokens = layout.find("/tokens")->offset;
  flip_byte(path, tokens + 65536 + 100);
  Shard shard(path);
  std::vector<std::int32_t> out(100);
  EXPECT_NO_THROW(shard.read_tokens(0, out)) << "block 0 is sound";
  expect_error([&] { shard.read_tokens(32760, out); }, {"a.h5", "block 1 of /tokens", "damaged"});
  expect_error([&] { shard.verify(); }, {"a.h5", "block 1 of /tokens"});
  flip_byte(path, tokens + 65536 + 100);
  EXPECT_NO_THROW(Shard(path).verify());
  for (const Hdf5Dataset& dataset : layout.datasets) {
    const std::uint64_t at = dataset.offset + dataset.bytes / 2;
    flip_byte(path, at);
    expect_error([&] { Shard(path).verify(); }, {"a.h5", dataset.path, "damaged"});
    flip_byte(path, at);
  }
  flip_byte(path, layout.find("/documents")->offset);
  expect_error([&] { Shard(path).document_at(5); }, {"a.h5/documents", "damaged"});
}

TEST(Shard, TruncatedOrForeignFiles) {
  const TemporaryDirectory directory;
  const std::string path = directory / "a.h5";
  write_shard(path, example_shard(7, 100));
  const std::string good = read_file(path, 1 << 20);
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{47}, std::size_t{1000}, good.size() / 2, good.size() - 1}) {
    write_file_atomic(path, good.substr(0, size));
    expect_error([&] { Shard{path}; }, {"a.h5"});
  }
  std::filesystem::remove(path);
  Hdf5Layout other;
  other.attributes = {{"format", std::string("trireme.checkpoint")}};
  create_hdf5(path, other);
  expect_error([&] { Shard{path}; }, {"a.h5", "no Trireme shard"});
  std::filesystem::remove(path);
  other.attributes = {{"format", std::string("trireme.shard")}, {"version", 2}};
  create_hdf5(path, other);
  expect_error([&] { Shard{path}; }, {"a.h5", "version 2", "version 1"});
}

TEST(Shard, ATokenOutOfRangeIsAnErrorEvenUnderAGoodChecksum) {
  const TemporaryDirectory directory;
  const std::string path = directory / "a.h5";
  const ShardContent content = example_shard(8, 10);
  write_shard(path, content);
  const Hdf5Layout layout = read_hdf5(path);
  const FileDescriptor file = FileDescriptor::open_write(path);
  std::string tokens(layout.find("/tokens")->bytes, '\0');
  file.pread_all(tokens.data(), tokens.size(), layout.find("/tokens")->offset);
  tokens[10] = '\xe8';  // 1000 as u16
  tokens[11] = '\x03';
  file.pwrite_all(tokens.data(), tokens.size(), layout.find("/tokens")->offset);
  const std::uint64_t checksum = xxh3_64(tokens);
  file.pwrite_all(&checksum, 8, layout.find("/checksums")->offset);
  Shard shard(path);
  std::vector<std::int32_t> out(20);
  expect_error([&] { shard.read_tokens(2, out); }, {"a.h5", "token 5 (block 0) is 1000", "vocabulary of 1000"});
}

TEST(Shard, IsDescribedForPeople) {
  const TemporaryDirectory directory;
  write_shard(directory / "a.h5", example_shard(9, 10));
  const DataDescription description = describe_shard(directory / "a.h5", true);
  EXPECT_NE(description.json.find("\"documents\":10"), std::string::npos) << description.json;
  bool found = false;
  for (const auto& [key, value] : description.facts) {
    found = found || (key == "first_documents[1].record" && value == "3");
  }
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace trireme
