// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/loader/loader.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "tests/core/io/expect_error.h"
#include "tests/core/io/temporary_directory.h"
#include "tests/data_pipeline/loader/host_device.h"
#include "tests/data_pipeline/shards/example_corpus.h"

namespace trireme {
namespace {

using testing::example_shard;
using testing::expect_error;
using testing::HostDevice;
using testing::TemporaryDirectory;
using testing::write_corpus;

using Row = std::vector<std::int32_t>;

Row row_of(const Tensor& tensor, std::int64_t row) {
  const std::int64_t length = tensor.shape[1];
  const auto* begin = tensor.as<std::int32_t>() + row * length;
  return {begin, begin + length};
}

struct Sample {
  Row tokens, targets, positions, starts;
  bool operator==(const Sample&) const = default;
};

/// Samples [first, first + count), read in pieces of `rows`, and the sum of the hashes.
std::pair<std::vector<Sample>, std::uint64_t> read_samples(BatchSource& source, std::int64_t first, std::int64_t count,
                                                           std::int64_t rows, bool ahead = true) {
  std::vector<Sample> samples;
  std::uint64_t hash = 0;
  for (std::int64_t at = first; at < first + count; at += rows) {
    const std::int64_t now = std::min(rows, first + count - at);
    const Batch& batch = source.read(at, now);
    if (ahead && at + now < first + count) source.prefetch(at + now, std::min(rows, first + count - at - now));
    hash += batch.token_hash;
    std::int64_t targets = 0;
    for (std::int64_t row = 0; row < now; ++row) {
      Sample sample{row_of(batch.tokens, row), row_of(batch.targets, row), row_of(batch.positions, row), {}};
      if (batch.document_start) sample.starts = row_of(batch.document_start, row);
      targets += std::count_if(sample.targets.begin(), sample.targets.end(), [](auto t) { return t != -1; });
      samples.push_back(std::move(sample));
    }
    EXPECT_EQ(batch.target_count, targets);
  }
  return {samples, hash};
}

class LoaderTest : public ::testing::Test {
 protected:
  LoaderConfig config(const std::string& corpus, std::int64_t sequence = 32) const {
    LoaderConfig result;
    result.corpora = {{.path = corpus}};
    result.sequence = sequence;
    result.seed = 5;
    return result;
  }

  TemporaryDirectory directory_;
  HostDevice device_;
};

TEST_F(LoaderTest, AnEpochIsEveryWindowOfTheStreamOnce) {
  const Row stream = write_corpus(directory_ / "c", {example_shard(1, 40), example_shard(2, 1), example_shard(3, 60)});
  const std::int64_t length = 7;
  const auto loader = make_loader(device_, config(directory_ / "c", length));
  const auto samples = static_cast<std::int64_t>((stream.size() - 1) / 7);
  ASSERT_EQ(loader->samples_per_epoch(), samples);
  std::multiset<Row> expected;
  for (std::int64_t k = 0; k < samples; ++k) {
    const auto begin = stream.begin() + k * length;
    expected.emplace(begin, begin + length + 1);
  }
  std::vector<std::vector<Row>> epochs(2);
  for (std::size_t epoch = 0; epoch < 2; ++epoch) {
    const auto first = static_cast<std::int64_t>(epoch) * samples;
    for (Sample& sample : read_samples(*loader, first, samples, 16).first) {
      Row window = sample.tokens;
      window.push_back(sample.targets.back());
      EXPECT_TRUE(std::equal(sample.tokens.begin() + 1, sample.tokens.end(), sample.targets.begin()));
      EXPECT_EQ(sample.positions, (Row{0, 1, 2, 3, 4, 5, 6}));
      epochs[epoch].push_back(window);
    }
    EXPECT_EQ(std::multiset<Row>(epochs[epoch].begin(), epochs[epoch].end()), expected) << "epoch " << epoch;
  }
  EXPECT_NE(epochs[0], epochs[1]) << "each epoch has an order of its own";
}

TEST_F(LoaderTest, TheOrderDoesNotDependOnRanksMicroBatchesPrefetchOrTheStart) {
  write_corpus(directory_ / "a", {example_shard(1, 100), example_shard(2, 100)});
  write_corpus(directory_ / "b", {example_shard(3, 50)});
  LoaderConfig mixed = config(directory_ / "a", 16);
  mixed.corpora = {{directory_ / "a", 0.7}, {directory_ / "b", 0.3}};
  const auto [all, hash] = read_samples(*make_loader(device_, mixed), 0, 240, 1, false);
  for (const std::int64_t ranks : {1, 2, 3, 4}) {
    for (const std::int64_t micro : {1, 2, 5}) {
      // A step of 12 samples per rank share, each rank with a loader of its own.
      std::uint64_t sum = 0;
      for (std::int64_t rank = 0; rank < ranks; ++rank) {
        const auto loader = make_loader(device_, mixed);
        for (std::int64_t step = 0; step < 20; ++step) {
          const std::int64_t share = 12 / ranks;
          const std::int64_t first = 12 * step + rank * share;
          const auto [mine, part] = read_samples(*loader, first, share, micro);
          sum += part;
          ASSERT_TRUE(std::equal(mine.begin(), mine.end(), all.begin() + first));
        }
      }
      EXPECT_EQ(sum, hash);
    }
  }
  for (const std::int64_t start : {1, 77, 200}) {
    const auto [rest, part] = read_samples(*make_loader(device_, mixed), start, 40, 8);
    EXPECT_TRUE(std::equal(rest.begin(), rest.end(), all.begin() + start));
  }
  mixed.seed = 6;
  EXPECT_NE(read_samples(*make_loader(device_, mixed), 0, 240, 8).second, hash);
}

TEST_F(LoaderTest, AMixtureDrawsByWeightAndKeepsEachCorpusInItsOwnOrder) {
  // Tokens tell the corpus: a's are below 500.
  ShardContent a = example_shard(1, 200), b = example_shard(2, 200);
  for (auto& token : a.tokens) token %= 500;
  for (auto& token : b.tokens) token = 500 + token % 500;
  write_corpus(directory_ / "a", {a});
  write_corpus(directory_ / "b", {b});
  LoaderConfig both = config(directory_ / "a", 8);
  both.corpora = {{directory_ / "a", 3}, {directory_ / "b", 1}};
  const auto mixed = read_samples(*make_loader(device_, both), 0, 400, 16).first;
  const auto alone = read_samples(*make_loader(device_, config(directory_ / "a", 8)), 0, 300, 16).first;
  std::vector<Sample> from_a;
  for (const Sample& sample : mixed) {
    if (sample.tokens[0] < 500) from_a.push_back(sample);
  }
  EXPECT_EQ(from_a, alone) << "300 of 400 are a's, in the order they have without b";
}

TEST_F(LoaderTest, DocumentMask) {
  const Row stream = write_corpus(directory_ / "c", {example_shard(1, 300), example_shard(2, 300)});
  LoaderConfig masked = config(directory_ / "c", 20);
  masked.document_mask = true;
  const auto with = read_samples(*make_loader(device_, masked), 0, 400, 16).first;
  const auto without = read_samples(*make_loader(device_, config(directory_ / "c", 20)), 0, 400, 16).first;
  int masked_targets = 0;
  for (std::size_t s = 0; s < with.size(); ++s) {
    ASSERT_EQ(with[s].tokens, without[s].tokens);
    ASSERT_TRUE(without[s].starts.empty());
    std::int32_t start = 0;
    for (std::int32_t i = 0; i < 20; ++i) {
      // In the example a document ends where its last token is 999, and nowhere else.
      const auto at = static_cast<std::size_t>(i);
      if (i > 0 && with[s].tokens[at - 1] == 999) start = i;
      ASSERT_EQ(with[s].starts[at], start) << "sample " << s << ", token " << i;
      ASSERT_EQ(with[s].positions[at], i - start);
      const bool last = with[s].tokens[at] == 999;
      ASSERT_EQ(with[s].targets[at], last ? -1 : without[s].targets[at]);
      masked_targets += last;
    }
  }
  EXPECT_GT(masked_targets, 100);
}

TEST_F(LoaderTest, ValidationDocumentsAreNeverTrainedOn) {
  // Every token of a document is the document's number, so that the tokens tell the documents.
  std::vector<ShardContent> shards = {example_shard(1, 200), example_shard(2, 300)};
  std::uint64_t total = 0;
  for (std::size_t s = 0; s < 2; ++s) {
    std::size_t d = 0;
    for (std::size_t t = 0; t < shards[s].tokens.size(); ++t) {
      if (t == shards[s].ends[d]) ++d;
      shards[s].tokens[t] = static_cast<std::int32_t>(200 * s + d);
    }
    total += shards[s].tokens.size();
  }
  write_corpus(directory_ / "c", shards);
  std::map<Split, std::set<std::int32_t>> documents;
  std::uint64_t tokens = 0;
  for (const Split split : {Split::train, Split::validation}) {
    LoaderConfig part = config(directory_ / "c", 4);
    part.validation_fraction = 0.1;
    part.split = split;
    const LoaderInfo info = describe_loader(part);
    tokens += info.tokens;
    const auto loader = make_loader(device_, part);
    EXPECT_EQ(static_cast<std::uint64_t>(loader->samples_per_epoch()), info.samples);
    for (const Sample& sample : read_samples(*loader, 0, loader->samples_per_epoch(), 16).first) {
      documents[split].insert(sample.tokens.begin(), sample.tokens.end());
    }
    const double share = split == Split::validation ? 0.1 : 0.9;
    EXPECT_NEAR(static_cast<double>(info.tokens), share * static_cast<double>(total), 60);
  }
  EXPECT_EQ(tokens, total) << "nothing is lost between the splits";
  std::vector<std::int32_t> both;
  std::set_intersection(documents[Split::train].begin(), documents[Split::train].end(),
                        documents[Split::validation].begin(), documents[Split::validation].end(),
                        std::back_inserter(both));
  EXPECT_TRUE(both.empty());
  EXPECT_GT(documents[Split::validation].size(), 20U);
}

TEST_F(LoaderTest, ManyCorporaOfManyShardsStayWithinTheLimitOfOpenFiles) {
  LoaderConfig mixture = config(directory_ / "0", 8);
  mixture.corpora.clear();
  for (int c = 0; c < 4; ++c) {
    std::vector<ShardContent> shards;
    shards.reserve(50);
    for (int s = 0; s < 50; ++s) shards.push_back(example_shard(1 + 50 * c + s, 2));
    const std::string path = directory_ / std::to_string(c);
    write_corpus(path, shards);
    mixture.corpora.push_back({.path = path});
  }
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit small{180, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &small), 0);
  const auto loader = make_loader(device_, mixture);
  EXPECT_NO_THROW(read_samples(*loader, 0, loader->samples_per_epoch(), 16));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

TEST_F(LoaderTest, ASingleShardIsACorpus) {
  const ShardContent content = example_shard(1, 100);
  write_shard(directory_ / "one.h5", content);
  const auto loader = make_loader(device_, config(directory_ / "one.h5", 8));
  EXPECT_EQ(static_cast<std::size_t>(loader->samples_per_epoch()), (content.tokens.size() - 1) / 8);
  EXPECT_EQ(describe_loader(config(directory_ / "one.h5", 8)).eos, 999);
}

TEST_F(LoaderTest, AllocatesTwiceAndNeverAgain) {
  write_corpus(directory_ / "c", {example_shard(1, 300)});
  const auto loader = make_loader(device_, config(directory_ / "c"));
  read_samples(*loader, 0, 16, 8);
  const std::int64_t before = device_.allocations();
  EXPECT_EQ(before, 2);
  read_samples(*loader, 0, 100, 8);
  read_samples(*loader, 50, 100, 5);
  EXPECT_EQ(device_.allocations(), before);
}

TEST_F(LoaderTest, RequestsThatCannotBeMet) {
  const Row stream = write_corpus(directory_ / "c", {example_shard(1, 5)});
  const auto length = static_cast<std::int64_t>(stream.size());
  EXPECT_EQ(make_loader(device_, config(directory_ / "c", length - 1))->samples_per_epoch(), 1);
  expect_error([&] { make_loader(device_, config(directory_ / "c", length)); },
               {fmt::format("has {} tokens", length), fmt::format("needs {}", length + 1)}, ExitCode::usage);
  expect_error([&] { make_loader(device_, config(directory_ / "none")); }, {"no corpus at", "none"}, ExitCode::usage);
  std::filesystem::create_directory(directory_ / "empty");
  expect_error([&] { make_loader(device_, config(directory_ / "empty")); }, {"corpus.json is missing"},
               ExitCode::usage);
  expect_error([&] { make_loader(device_, LoaderConfig{}); }, {"no corpora"}, ExitCode::usage);
  LoaderConfig held = config(directory_ / "c", 2);
  held.split = Split::validation;
  expect_error([&] { make_loader(device_, held); }, {"data.validation = 0"}, ExitCode::usage);
  held.validation_fraction = 1;
  expect_error([&] { make_loader(device_, held); }, {"data.validation = 1"}, ExitCode::usage);
  ShardContent other = example_shard(1, 50);
  other.header.tokenizer[0] = 'f';
  write_corpus(directory_ / "d", {other});
  LoaderConfig two = config(directory_ / "c", 2);
  two.corpora.push_back({directory_ / "d", 1});
  expect_error([&] { make_loader(device_, two); }, {"/d", "/c", "must agree"}, ExitCode::usage);
  const auto loader = make_loader(device_, config(directory_ / "c", 2));
  expect_error([&] { loader->read(-1, 2); }, {"samples -1 to 1"});
  expect_error([&] { loader->read(0, 0); }, {"samples 0 to 0"});
}

TEST_F(LoaderTest, DamageNamesTheShardAndTheBlockAlsoWhenReadAhead) {
  write_corpus(directory_ / "c", {example_shard(1, 2000), example_shard(2, 2000)});
  const std::string path = directory_ / "c/shard-000001.h5";
  testing::flip_byte(path, read_hdf5(path).find("/tokens")->offset + 5000);
  for (const bool ahead : {false, true}) {
    const auto loader = make_loader(device_, config(directory_ / "c"));
    expect_error([&] { read_samples(*loader, 0, loader->samples_per_epoch(), 8, ahead); },
                 {"shard-000001.h5", "block 0 of /tokens", "damaged"});
  }
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 100);
  const auto loader = make_loader(device_, config(directory_ / "c"));
  expect_error([&] { read_samples(*loader, 0, loader->samples_per_epoch(), 8); },
               {"shard-000001.h5", "corpus.json says", "truncated"});
}

}  // namespace
}  // namespace trireme
