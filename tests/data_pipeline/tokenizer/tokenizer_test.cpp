// SPDX-License-Identifier: Apache-2.0
// Ids against those of tokenizers and tiktoken (golden files, samples), round trips, threads, time.
#include "data_pipeline/tokenizer/tokenizer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <fstream>
#include <sstream>
#include <thread>

#include "core/base/error.h"
#include "core/io/atomic_file.h"
#include "core/io/json.h"
#include "data_pipeline/tokenizer/hf_tokenizer_file.h"
#include "tests/data_pipeline/tokenizer/golden.h"

namespace trireme {
namespace {

constexpr Pattern kPatterns[] = {Pattern::gpt2, Pattern::cl100k, Pattern::qwen2, Pattern::o200k};

std::string joined(const std::vector<std::uint32_t>& ids) { return fmt::format("{}", fmt::join(ids, " ")); }

TokenizerModel small_model() {
  const std::string path = golden("tokenizer_small.json");
  return parse_hf_tokenizer(read_file(path, 1 << 20), path);
}

TEST(Tokenizer, GivesTheIdsOfHuggingFaceUnderEveryPattern) {
  const nlohmann::json ids = read_json(golden("tokenizer_ids.json"));
  for (const Pattern pattern : kPatterns) {
    TokenizerModel model = small_model();
    model.pattern = pattern;
    const Tokenizer tokenizer(std::move(model), "small");
    const auto& expected = ids.at("merges").at(std::string(pattern_name(pattern)));
    ASSERT_EQ(expected.size(), ids.at("texts").size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const auto text = ids.at("texts")[i].get<std::string>();
      const auto found = tokenizer.encode(text, SpecialTokens::recognised);
      EXPECT_EQ(joined(found), expected[i].get<std::string>()) << pattern_name(pattern) << " " << text;
      EXPECT_EQ(tokenizer.decode(found), text);
    }
  }
}

TEST(Tokenizer, GivesTheIdsOfTiktokenUnderEveryPattern) {
  const nlohmann::json ids = read_json(golden("tokenizer_ids.json"));
  for (const Pattern pattern : kPatterns) {
    TokenizerModel model = small_model();
    model.pattern = pattern;
    model.merges.clear();
    model.merge_by_bytes = true;
    model.whole_pieces = true;
    const Tokenizer tokenizer(std::move(model), "small");
    const std::string name(pattern_name(pattern));
    const auto& different = ids.at("ranks").at(name);
    for (std::size_t i = 0; i < ids.at("texts").size(); ++i) {
      const auto text = ids.at("texts")[i].get<std::string>();
      const auto& expected = different.contains(text) ? different.at(text) : ids.at("merges").at(name)[i];
      EXPECT_EQ(joined(tokenizer.encode(text)), expected.get<std::string>()) << name << " " << text;
    }
  }
}

TEST(Tokenizer, PassesTheCasesOfGpt2) {
  const std::string file = sample("tokenizers/gpt2-tokenizer.json");
  if (file.empty()) GTEST_SKIP() << "no samples";
  const Tokenizer tokenizer = Tokenizer::load(file);
  EXPECT_EQ(tokenizer.vocab_size(), 50257U);
  EXPECT_EQ(tokenizer.eos(), 50256U);
  EXPECT_FALSE(tokenizer.bos().has_value());
  const std::string input = read_file(sample("tokenizers/gpt2.inp"), 1 << 20);
  std::ifstream output(sample("tokenizers/gpt2.out"));
  const std::string separator = "\n__ggml_vocab_test__\n";
  std::size_t cases = 0;
  for (std::size_t at = 0; at <= input.size(); ++cases) {
    const std::size_t end = std::min(input.find(separator, at), input.size());
    const std::string text = input.substr(at, end - at);
    std::string line;  // the last case is empty, and so has no line
    std::getline(output, line);
    std::vector<std::uint32_t> expected;
    std::istringstream words(line);
    for (std::uint32_t id = 0; words >> id;) expected.push_back(id);
    EXPECT_EQ(tokenizer.encode(text), expected) << text;
    at = end + separator.size();
  }
  EXPECT_EQ(cases, 47U);
}

TEST(Tokenizer, ReadsTheRanksOfCl100k) {
  const std::string file = sample("tokenizers/cl100k_base.tiktoken.gz");
  if (file.empty()) GTEST_SKIP() << "no samples";
  const Tokenizer tokenizer = Tokenizer::load(file);
  EXPECT_EQ(tokenizer.vocab_size(), 100277U);
  EXPECT_EQ(tokenizer.eos(), 100257U);
  EXPECT_EQ(tokenizer.encode("hello world"), (std::vector<std::uint32_t>{15339, 1917}));
  EXPECT_EQ(tokenizer.encode("<|endoftext|>", SpecialTokens::recognised), std::vector<std::uint32_t>{100257});
  EXPECT_TRUE(tokenizer.token_bytes(100256).empty());
  EXPECT_THROW(tokenizer.decode(std::vector<std::uint32_t>{100256}), Error);
  EXPECT_THROW(tokenizer.decode(std::vector<std::uint32_t>{100277}), Error);
}

TEST(Tokenizer, SpecialTokensInTextAreTextUnlessAllowed) {
  const Tokenizer tokenizer(small_model(), "small");
  const std::string text = "a<|endoftext|>";
  EXPECT_EQ(tokenizer.encode(text, SpecialTokens::recognised).back(), tokenizer.eos());
  for (const std::uint32_t id : tokenizer.encode(text)) EXPECT_NE(id, tokenizer.eos());
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
}

TEST(Tokenizer, AppendsAndAddsNothing) {
  TokenizerModel model = small_model();
  model.template_prefix = {0};
  const Tokenizer tokenizer(std::move(model), "small");
  EXPECT_EQ(tokenizer.bos(), 0U);
  std::vector<std::uint32_t> ids = {7};
  tokenizer.encode("", ids);
  EXPECT_EQ(ids, std::vector<std::uint32_t>{7});
  tokenizer.encode("a", ids);
  EXPECT_EQ(ids.size(), 2U);
}

TEST(Tokenizer, SavedAndLoadedItIsTheSame) {
  const Tokenizer tokenizer(small_model(), "small");
  const std::string path = testing::TempDir() + "/trireme_tokenizer_test.json";
  for (const Pattern pattern : kPatterns) {
    TokenizerModel model = small_model();
    model.pattern = pattern;
    const Tokenizer before(std::move(model), "small");
    before.save(path);
    const Tokenizer after = Tokenizer::load(path);
    EXPECT_EQ(before.hash(), after.hash());
    EXPECT_EQ(before.hash() == tokenizer.hash(), pattern == Pattern::gpt2);
    EXPECT_EQ(after.model().pattern, pattern);
    EXPECT_THROW(Tokenizer::load(path, pattern == Pattern::gpt2 ? Pattern::o200k : Pattern::gpt2), Error);
  }
  std::filesystem::remove(path);
}

TEST(Tokenizer, EveryByteSequenceComesBack) {
  const Tokenizer tokenizer(small_model(), "small");
  std::string bytes;
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) bytes += {static_cast<char>(a), static_cast<char>(b), 'x'};
  }
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(bytes)), bytes);
}

TEST(Tokenizer, ThreadsGetTheSameIds) {
  const Tokenizer tokenizer(small_model(), "small");
  const std::string text = read_file(golden("tokenizer_text.txt"), 1 << 20);
  const auto expected = tokenizer.encode(text);
  std::vector<int> equal(4);
  {
    std::vector<std::jthread> threads;
    threads.reserve(equal.size());
    for (int& mine : equal) {
      threads.emplace_back([&] {
        for (int i = 0; i < 5; ++i) mine += tokenizer.encode(text) == expected ? 1 : 0;
      });
    }
  }
  EXPECT_EQ(equal, std::vector<int>(4, 5));
}

// Quadratic merging of 2^20 bytes would take 10^11 steps or more: minutes. The bound leaves the heap a hundredfold.
TEST(Tokenizer, TakesLinearTime) {
  const Tokenizer tokenizer(small_model(), "small");
  for (const Pattern pattern : kPatterns) {
    TokenizerModel model = small_model();
    model.pattern = pattern;
    const Tokenizer each(std::move(model), "small");
    for (const std::string unit :
         {"a", " ", "\n", "\n ", "=", "9", "'", "\xCC\x81", "\xCC\x81\x41", "\xC3", "ab", "aA"}) {
      std::string text;
      while (text.size() < (1U << 20)) text += unit;
      const auto start = std::chrono::steady_clock::now();
      const auto ids = each.encode(text);
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
      EXPECT_LT(seconds.count(), 20) << pattern_name(pattern) << " " << unit;
      EXPECT_EQ(each.decode(ids), text);
    }
  }
}

}  // namespace
}  // namespace trireme
