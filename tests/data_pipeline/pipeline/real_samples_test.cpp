// SPDX-License-Identifier: Apache-2.0
// The pipeline on real files with GPT-2's tokenizer: where every record went, and why.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>

#include "data_pipeline/pipeline/pipeline.h"
#include "data_pipeline/shards/inspect.h"
#include "data_pipeline/shards/manifest.h"
#include "parallel/parallel.h"
#include "tests/core/io/temporary_directory.h"

namespace trireme {
namespace {

std::string samples() {
  const char* folder = std::getenv("TRIREME_SAMPLES");
  return folder != nullptr ? folder : TRIREME_SOURCE_DIR "/../shared/samples";
}

TEST(RealSamples, EveryRecordIsExplained) {
  const std::string from = samples();
  if (!std::filesystem::exists(from + "/wiki")) GTEST_SKIP() << "no samples at " << from << ": set TRIREME_SAMPLES";
  const testing::TemporaryDirectory directory;
  DataConfig config;
  config.out = directory / "out";
  config.tokenizer = from + "/tokenizers/gpt2-tokenizer.json";
  config.sources = {{.name = "crawl",
                     .files = {from + "/crawl/dolma-sample-0000.warc.gz", from + "/crawl/whirlwind.warc.gz"},
                     .kind = "warc"},
                    {.name = "wet",
                     .files = {from + "/crawl/whirlwind.warc.wet.gz", from + "/crawl/whirlwind.warc.wet"},
                     .kind = "wet"},
                    {.name = "wiki", .files = {from + "/wiki/gensim-enwiki*.bz2"}, .kind = "wiki"},
                    {.name = "lines", .files = {from + "/text/dolma-cc_en_head-0091.jsonl.gz"}, .kind = "jsonl"}};
  config.unit_bytes = 1 << 20;
  DataSummary summary;
  run_thread_ranks(2, [&](Group& world) {
    const DataSummary mine = run_data(config, world, {});
    if (world.rank() == 0) summary = mine;
  });
  const CorpusManifest manifest = read_manifest(summary.manifest);
  EXPECT_NO_THROW(describe_corpus(config.out, true));
  ASSERT_EQ(manifest.sources.size(), 4U);
  using Counts = std::map<std::string, std::uint64_t>;
  // 22 pages of a research crawl and one of an.wikipedia.org, which is Aragonese and lacks the English stop words; 2 of
  // the responses are no HTML, and each crawl has its requests, its warcinfo and its metadata.
  const CorpusSource& crawl = manifest.sources[0];
  EXPECT_EQ(crawl.counts.rejected, (Counts{{"filter: too few stop words", 1},
                                           {"source: not HTML", 2},
                                           {"source: type metadata", 2},
                                           {"source: type request", 23},
                                           {"source: type warcinfo", 2}}));
  EXPECT_EQ(crawl.counts.kept, 22U);
  // The same page as text, twice.
  EXPECT_EQ(manifest.sources[1].counts.rejected,
            (Counts{{"filter: too few stop words", 2}, {"source: type warcinfo", 2}}));
  EXPECT_EQ(manifest.sources[1].counts.kept, 0U);
  // 206 pages: 106 articles, of which one is a list of bullets, and 100 redirects, one outside the article namespace.
  const CorpusSource& wiki = manifest.sources[2];
  EXPECT_EQ(wiki.counts.read, 206U);
  EXPECT_EQ(wiki.counts.rejected, (Counts{{"filter: too many bullet lines", 1},
                                          {"source: redirect", 99},
                                          {"source: redirect outside the article namespace", 1}}));
  EXPECT_EQ(wiki.counts.kept, 105U);
  EXPECT_EQ(manifest.sources[3].counts.kept, 10U);
  EXPECT_EQ(manifest.counts().total_failed(), 0U);
  EXPECT_EQ(manifest.header.vocabulary, 50257U);
  EXPECT_EQ(manifest.header.eos, 50256);
}

}  // namespace
}  // namespace trireme
