// SPDX-License-Identifier: Apache-2.0
// The route on real files: crawl, encyclopedia and JSONL with GPT-2's tokenizer, to an exam of eight real subjects.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/e2e/tiny_world.h"

namespace trireme::e2e {
namespace {

namespace fs = std::filesystem;

std::string samples() {
  const char* given = std::getenv("TRIREME_SAMPLES");
  return given != nullptr ? given : std::string(TRIREME_SOURCE_DIR) + "/../shared/samples";
}

nlohmann::json counts_of(const nlohmann::json& corpus, const std::string& source) {
  for (const auto& entry : corpus.at("sources")) {
    if (entry.at("name") == source) return entry.at("documents");
  }
  ADD_FAILURE() << "no source " << source;
  return {};
}

TEST(RealInput, FromCrawlAndEncyclopediaToAnExam) {
  const auto in = samples();
  if (!fs::exists(in + "/tokenizers/gpt2-tokenizer.json")) GTEST_SKIP() << "no sample files in " << in;
  const TemporaryFolder made;
  const auto ranks = [&](const Words& words) { return run(trireme(2, words), made.path()); };
  write_text(made.path() + "/data.yaml",
             "out: shards\n"
             "tokenizer: " +
                 in +
                 "/tokenizers/gpt2-tokenizer.json\n"
                 "sources:\n"
                 "  - {name: wet, kind: wet, files: [" +
                 in +
                 "/crawl/whirlwind.warc.wet.gz]}\n"
                 "  - {name: warc, kind: warc, files: [" +
                 in + "/crawl/dolma-sample-0000.warc.gz, " + in + "/crawl/jwarc-cc.warc.gz, " + in +
                 "/crawl/whirlwind.warc.gz, " + in +
                 "/crawl/warcio-example.warc.gz]}\n"
                 "  - {name: wiki, kind: wiki, files: [" +
                 in +
                 "/wiki/gensim-enwiki-latest-pages-articles1-shortened.xml.bz2]}\n"
                 "  - {name: jsonl, kind: jsonl, files: [" +
                 in + "/text/dolma-cc_en_head-0091.jsonl.gz]}\n");
  const auto data = only_json(ranks({"data", "data.yaml", "--json"}));
  ASSERT_FALSE(data.empty());
  const auto corpus = nlohmann::json::parse(read_text(made.path() + "/shards/corpus.json"));

  // The dump: 206 pages = 106 articles + 100 redirects, one of them outside the article namespace. One article is a
  // list whose lines are nearly all bullets.
  const auto wiki = counts_of(corpus, "wiki");
  EXPECT_EQ(wiki.at("read"), 206);
  EXPECT_EQ(wiki.at("rejected").at("source: redirect"), 99);
  EXPECT_EQ(wiki.at("rejected").at("source: redirect outside the article namespace"), 1);
  EXPECT_EQ(wiki.at("rejected").at("filter: too many bullet lines"), 1);
  EXPECT_EQ(wiki.at("rejected").size(), 3U) << wiki;
  EXPECT_EQ(wiki.at("kept"), 105);
  // WARC: each of the files begins with its own description; 25 requests belong to the 25 responses that are pages.
  const auto warc = counts_of(corpus, "warc");
  EXPECT_EQ(warc.at("read"), 59);
  EXPECT_EQ(warc.at("rejected").at("source: type warcinfo"), 4);
  EXPECT_EQ(warc.at("rejected").at("source: type request"), 25);
  EXPECT_EQ(warc.at("rejected").at("source: type metadata"), 2);
  EXPECT_EQ(warc.at("rejected").at("source: type revisit"), 1);
  EXPECT_EQ(warc.at("rejected").at("source: not HTML"), 2);
  EXPECT_EQ(warc.at("kept"), 23);
  // WET: one page, in Aragonese, which the rules for English reject and say so.
  const auto wet = counts_of(corpus, "wet");
  EXPECT_EQ(wet.at("read"), 2);
  EXPECT_EQ(wet.at("rejected").at("filter: too few stop words"), 1);
  EXPECT_EQ(counts_of(corpus, "jsonl").at("kept"), 10);
  EXPECT_EQ(data.at("kept"), 138);
  EXPECT_EQ(data.at("read"), 277);
  EXPECT_TRUE(data.at("failed").empty());
  EXPECT_EQ(run(trireme({"inspect", "shards", "--verify"}), made.path()).code, 0);

  // Very narrow, for the vocabulary has 50,257 rows.
  Words train{"train", std::string(TRIREME_SOURCE_DIR) + "/configs/train/tiny_gpt2.yaml", "--json"};
  for (const char* set : {"run.dir=run", "data.shards=[shards]", "model.layers=1", "model.width=16",
                          "model.head_size=4", "model.feed_forward=32", "train.sequence=32", "train.steps=50",
                          "data.validation=0.1", "eval.every=0", "eval.samples=2", "checkpoint.every=0"}) {
    train.insert(train.end(), {"--set", set});
  }
  const auto trained = only_json(ranks(train));
  ASSERT_FALSE(trained.empty());
  EXPECT_EQ(trained.at("step"), 50);
  EXPECT_LT(trained.at("loss_last").get<double>(), trained.at("loss_first").get<double>() - 0.1);

  for (const char* shots : {"0", "5"}) {
    const auto exam = only_json(
        ranks({"eval", "run", "--tasks", "mmlu", "--data", in + "/exams/mmlu_csv", "--shots", shots, "--json"}));
    ASSERT_FALSE(exam.empty());
    std::map<std::string, int> questions;
    for (const auto& subject : exam.at("subjects")) questions[subject.at("name")] = subject.at("questions");
    // Counted with Python's csv module.
    const std::map<std::string, int> expected{
        {"abstract_algebra", 100},  {"anatomy", 135},        {"high_school_european_history", 165},
        {"machine_learning", 112},  {"marketing", 234},      {"moral_scenarios", 895},
        {"professional_law", 1534}, {"world_religions", 171}};
    EXPECT_EQ(questions, expected);
    EXPECT_EQ(exam.at("micro").at("questions"), 3346);
    // Fifty steps teach nothing: within five standard errors of chance.
    EXPECT_NEAR(exam.at("micro").at("accuracy").get<double>(), 0.25, 5 * exam.at("micro").at("stderr").get<double>());
    EXPECT_EQ(exam.at("categories").size(), 3U);
    EXPECT_EQ(count(read_text(made.path() + "/run/eval/mmlu_" + shots + "shot_step50.jsonl"), "\n"), 3346U);
  }
}

}  // namespace
}  // namespace trireme::e2e
