// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/pipeline/pipeline.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "data_pipeline/shards/manifest.h"
#include "data_pipeline/tokenizer/tokenizer.h"
#include "parallel/parallel.h"
#include "tests/core/io/expect_error.h"
#include "tests/core/io/temporary_directory.h"
#include "tests/data_pipeline/pipeline/example_sources.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;
using testing::corpus_files;
using testing::expect_error;
using testing::TemporaryDirectory;
using testing::write_example_sources;

DataSummary run_alone(const DataConfig& config) {
  const auto world = make_self_group("world");
  return run_data(config, *world, {});
}

class PipelineTest : public ::testing::Test {
 protected:
  PipelineTest() : config_(write_example_sources(directory_.path().string())) {}

  TemporaryDirectory directory_;
  DataConfig config_;
};

TEST_F(PipelineTest, AccountsForEveryDocument) {
  const DataSummary summary = run_alone(config_);
  const DocumentCounts expected = testing::example_counts();
  EXPECT_EQ(summary.counts.read, expected.read);
  EXPECT_EQ(summary.counts.kept, expected.kept);
  EXPECT_EQ(summary.counts.rejected, expected.rejected);
  EXPECT_EQ(summary.counts.total_failed(), expected.total_failed());
  EXPECT_GT(summary.units, 6U) << "more units than ranks";
  EXPECT_EQ(summary.units_reused, 0U);
  const CorpusManifest manifest = read_manifest(summary.manifest);
  EXPECT_EQ(manifest.counts().kept, 340U);
  ASSERT_EQ(manifest.sources.size(), 2U);
  EXPECT_EQ(manifest.sources[0].files.size(), 2U);
  EXPECT_EQ(manifest.sources[1].counts.rejected.at("duplicate"), 10U) << "the first source keeps its copy";
  EXPECT_FALSE(fs::exists(config_.out + "/.stage"));
  EXPECT_EQ(summary.warnings.size(), 5U) << "the damaged lines";
}

TEST_F(PipelineTest, TheTokensAreTheDocumentsInOrderWithTheirAddresses) {
  const DataSummary summary = run_alone(config_);
  const CorpusManifest manifest = read_manifest(summary.manifest);
  const Tokenizer tokenizer = Tokenizer::load(config_.tokenizer);
  const std::string raw = read_file(directory_ / "a.jsonl", 1 << 24) + read_file(directory_ / "b.jsonl", 1 << 24) +
                          read_file(directory_ / "c.txt", 1 << 24);
  std::set<std::string> texts;
  std::size_t previous = 0;
  for (const ShardEntry& entry : manifest.shards) {
    const ShardContent content = open_shard(config_.out, manifest, entry).read_all();
    std::uint64_t begin = 0;
    for (std::size_t d = 0; d < content.ends.size(); ++d) {
      const std::vector<std::uint32_t> ids(content.tokens.begin() + static_cast<std::ptrdiff_t>(begin),
                                           content.tokens.begin() + static_cast<std::ptrdiff_t>(content.ends[d]));
      begin = content.ends[d];
      ASSERT_EQ(ids.back(), tokenizer.eos());
      const std::string text = tokenizer.decode(std::span(ids).first(ids.size() - 1));
      EXPECT_TRUE(texts.insert(text).second) << "twice: " << text;
      EXPECT_EQ(xxh3_128(text), content.hashes[d]);
      const std::size_t place = raw.find(text);
      ASSERT_NE(place, std::string::npos);
      EXPECT_GE(place, previous) << "the first of equal documents stays, in the order of the files";
      previous = place;
      const std::string file = read_file(content.sources.at(content.addresses[d].source), 1 << 24);
      EXPECT_NE(file.substr(content.addresses[d].offset, text.size() + 100).find(text), std::string::npos);
    }
  }
  EXPECT_EQ(texts.size(), 340U);
}

TEST_F(PipelineTest, ByteIdenticalForAnyNumberOfRanksAndWorkers) {
  run_alone(config_);
  const auto expected = corpus_files(config_.out);
  ASSERT_GT(expected.size(), 5U);
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // nothing may depend on the clock
  for (const auto& [ranks, workers] : std::vector<std::pair<int, int>>{{1, 1}, {1, 3}, {2, 1}, {3, 1}, {4, 2}}) {
    DataConfig again = config_;
    again.out = directory_ / fmt::format("out-{}-{}", ranks, workers);
    again.workers = workers;
    std::atomic<int> reports{0};
    run_thread_ranks(ranks, [&](Group& world) {
      const DataSummary summary = run_data(again, world, [&](const DataProgress& p) {
        EXPECT_LE(p.bytes_done, p.bytes_total);
        ++reports;
      });
      EXPECT_EQ(summary.counts.kept, 340U);
    });
    EXPECT_EQ(corpus_files(again.out), expected) << ranks << " ranks, " << workers << " workers";
    EXPECT_GT(reports.load(), 2);
  }
}

TEST_F(PipelineTest, UnitSizesChangeTheFilesAndNotTheDocuments) {
  run_alone(config_);
  config_.out = directory_ / "whole";
  config_.unit_bytes = 1 << 20;
  const DataSummary summary = run_alone(config_);
  EXPECT_EQ(summary.units, 3U);
  EXPECT_EQ(summary.counts.rejected, testing::example_counts().rejected);
}

TEST_F(PipelineTest, ASecondRunDoesNothingAndOtherSettingsAreRefused) {
  run_alone(config_);
  const auto before = corpus_files(config_.out);
  const DataSummary again = run_alone(config_);
  EXPECT_TRUE(again.up_to_date);
  EXPECT_EQ(again.counts, read_manifest(again.manifest).counts());
  config_.filter.min_words = 40;
  expect_error([&] { run_alone(config_); }, {"other settings or files", "set overwrite"}, ExitCode::usage);
  EXPECT_EQ(corpus_files(config_.out), before);
  config_.overwrite = true;
  config_.unit_bytes = 1 << 20;
  write_file_atomic(config_.out + "/.shard-000007.h5.12.tmp", "what an interrupted run was writing");
  EXPECT_FALSE(run_alone(config_).up_to_date);
  EXPECT_EQ(corpus_files(config_.out).size(), 4U) << "shards of the corpus before are gone";
}

TEST_F(PipelineTest, ARestartTakesOverWhatWasFinished) {
  run_alone(config_);
  const auto expected = corpus_files(config_.out);
  config_.out = directory_ / "second";
  // The first run is cut short when it has something done: a progress callback that throws stands for a crash.
  const auto stop = [](const DataProgress& p) {
    if (p.stage == "deduplicate") throw Error("stopped", ExitCode::failed, std::source_location::current());
  };
  const auto world = make_self_group("world");
  expect_error([&] { run_data(config_, *world, stop); }, {"stopped"});
  EXPECT_FALSE(fs::exists(config_.out + "/corpus.json"));
  // One finished unit is damaged, one has lost its shard, one was never finished.
  std::vector<std::string> records;
  for (const auto& entry : fs::directory_iterator(config_.out + "/.stage")) {
    if (entry.path().extension() == ".json") records.push_back(entry.path().string());
  }
  std::sort(records.begin(), records.end());
  ASSERT_GT(records.size(), 5U);
  write_file_atomic(records[0], "{\"read\": 1");
  fs::remove(fs::path(records[1]).replace_extension(".h5"));
  fs::remove(records[2]);
  const DataSummary summary = run_alone(config_);
  EXPECT_EQ(summary.units_reused, records.size() - 3);
  EXPECT_EQ(corpus_files(config_.out), expected);
}

TEST_F(PipelineTest, AFileThatIsListedTwiceIsReadTwice) {
  config_.sources[1] = config_.sources[0];
  config_.sources[1].name = "again";
  config_.exact_dedup = false;
  config_.workers = 4;
  const DataSummary summary = run_alone(config_);
  EXPECT_EQ(summary.units_reused, 0U) << "no unit may take the staged files of another";
  const CorpusManifest manifest = read_manifest(summary.manifest);
  EXPECT_EQ(manifest.sources[0].counts, manifest.sources[1].counts);
  EXPECT_EQ(manifest.sources[0].tokens, manifest.sources[1].tokens);
}

TEST_F(PipelineTest, AChangedFileIsReadAgain) {
  const auto world = make_self_group("world");
  const auto stop = [](const DataProgress& p) {
    if (p.stage == "deduplicate") throw Error("stopped", ExitCode::failed, std::source_location::current());
  };
  expect_error([&] { run_data(config_, *world, stop); }, {"stopped"});
  std::string text = read_file(directory_ / "c.txt", 1 << 20);
  text[10] = 'X';
  write_file_atomic(directory_ / "c.txt", text);
  const DataSummary summary = run_alone(config_);
  EXPECT_LT(summary.units_reused, summary.units);
  EXPECT_GT(summary.units_reused, 0U);
  EXPECT_EQ(summary.counts.kept, 341U) << "the first paragraph was a copy before";
}

TEST_F(PipelineTest, AFileThatChangesWhileItIsReadIsAnError) {
  const auto world = make_self_group("world");
  const std::string path = directory_ / "b.jsonl";
  const std::string text = read_file(path, 1 << 20);
  bool changed = false;
  const auto change = [&](const DataProgress& p) {
    if (p.stage == "read" && !std::exchange(changed, true)) write_file_atomic(path, text + text);
  };
  expect_error([&] { run_data(config_, *world, change); },
               {"b.jsonl changed while it was read", "run the same command"});
  EXPECT_FALSE(fs::exists(config_.out + "/corpus.json"));
  const auto lines = static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
  EXPECT_EQ(run_alone(config_).counts.read, testing::example_counts().read + lines);
}

TEST_F(PipelineTest, TwoJobsDoNotWriteOneFolder) {
  const auto world = make_self_group("world");
  int refused = 0;
  const auto second = [&](const DataProgress&) {
    DataConfig other = config_;
    other.filter.min_words = 40;
    expect_error([&] { run_alone(other); }, {config_.out, "another job"});
    ++refused;
  };
  run_data(config_, *world, second);
  EXPECT_GT(refused, 0);
  EXPECT_EQ(read_manifest(config_.out + "/corpus.json").counts().kept, 340U);
  for (const auto& entry : fs::directory_iterator(config_.out)) {
    EXPECT_NE(entry.path().filename().string().front(), '.') << "left behind: " << entry.path();
  }
}

TEST_F(PipelineTest, WhatCannotBeDoneIsSaidOnEveryRank) {
  const auto expect = [&](const std::function<void(DataConfig&)>& spoil, const std::vector<std::string>& parts,
                          ExitCode code = ExitCode::usage) {
    DataConfig config = config_;
    config.out = directory_ / "bad";
    spoil(config);
    std::atomic<int> told{0};
    run_thread_ranks(2, [&](Group& world) { expect_error([&] { run_data(config, world, {}); }, parts, code), ++told; });
    EXPECT_EQ(told, 2);
    EXPECT_FALSE(fs::exists(config.out + "/corpus.json"));
  };
  expect(
      [](DataConfig& c) {
        c.sources[0].files = {"none-1.jsonl", c.sources[0].files[0], "none-2-*.jsonl"};
      },
      {"2 source files are missing", "none-1.jsonl (lines)", "none-2-*.jsonl (lines)"});
  expect([](DataConfig& c) { c.sources.clear(); }, {"data.sources is empty"});
  expect([](DataConfig& c) { c.sources[1].files.clear(); }, {"paragraphs has no files"});
  expect([](DataConfig& c) { c.sources[1].name = "lines"; }, {"two sources are called lines"});
  expect([](DataConfig& c) { c.sources[0].kind = "pdf"; }, {"pdf"});
  expect([](DataConfig& c) { c.tokenizer = "none.json"; }, {"tokenizer none.json is missing"});
  expect(
      [](DataConfig& c) {
        c.bos = true;
        c.tokenizer = TRIREME_SOURCE_DIR "/tests/golden/tokenizer_small.json";
      },
      {"data.bos", "no bos token"});
  expect([](DataConfig& c) { c.unit_bytes = 0; }, {"data.unit_bytes"});
  expect([](DataConfig& c) { c.workers = 0; }, {"data.workers"});
  expect([](DataConfig& c) { c.filter.min_words = 1000; }, {"nothing was kept", "too few words"}, ExitCode::failed);
  expect([](DataConfig& c) { c.max_failed_fraction = 0.001; }, {"of lines failed", "max_failed_fraction"},
         ExitCode::failed);
}

TEST_F(PipelineTest, ASourceOfWhichNothingIsKeptIsReported) {
  write_file_atomic(directory_ / "empty.txt", "short\n");
  config_.sources.push_back({.name = "empty", .files = {directory_ / "empty.txt"}, .kind = "text"});
  const DataSummary summary = run_alone(config_);
  bool told = false;
  for (const std::string& warning : summary.warnings) {
    told = told || warning.find("nothing was kept of empty: 1 records read") != std::string::npos;
  }
  EXPECT_TRUE(told);
}

}  // namespace
}  // namespace trireme
