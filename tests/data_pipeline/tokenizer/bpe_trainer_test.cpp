// SPDX-License-Identifier: Apache-2.0
// Training against Hugging Face's trainer, and that neither order nor threads nor ranks change the result.
#include "data_pipeline/tokenizer/bpe_trainer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <random>

#include "core/base/error.h"
#include "core/io/atomic_file.h"
#include "data_pipeline/tokenizer/corpus_pieces.h"
#include "data_pipeline/tokenizer/hf_tokenizer_file.h"
#include "data_pipeline/tokenizer/tokenizer.h"
#include "tests/data_pipeline/tokenizer/golden.h"

namespace trireme {
namespace {

std::string own_text() { return read_file(golden("tokenizer_text.txt"), 1 << 20); }

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at) + 1;
    lines.push_back(text.substr(at, end - at));
    at = end;
  }
  return lines;
}

PieceCounter counted(const std::vector<std::string>& texts) {
  PieceCounter pieces;
  for (const std::string& text : texts) pieces.add(Pattern::gpt2, text);
  return pieces;
}

TEST(BpeTrainer, LearnsWhatHuggingFaceLearns) {
  PieceCounter pieces;
  pieces.add(Pattern::gpt2, own_text());
  const Tokenizer ours(train_bpe(pieces, {.vocab_size = 700}), "ours");
  const Tokenizer theirs = Tokenizer::load(golden("tokenizer_small.json"));
  ASSERT_EQ(ours.model().merges.size(), theirs.model().merges.size());
  for (std::size_t i = 0; i < ours.model().merges.size(); ++i) {
    EXPECT_EQ(ours.model().merges[i].left, theirs.model().merges[i].left) << "merge " << i;
    EXPECT_EQ(ours.model().merges[i].right, theirs.model().merges[i].right) << "merge " << i;
  }
  EXPECT_EQ(ours.hash(), theirs.hash());
}

TEST(BpeTrainer, OrderAndRanksDoNotMatter) {
  std::vector<std::string> lines = lines_of(own_text());
  const std::string expected = format_hf_tokenizer(train_bpe(counted(lines), {.vocab_size = 500}));
  std::reverse(lines.begin(), lines.end());
  EXPECT_EQ(format_hf_tokenizer(train_bpe(counted(lines), {.vocab_size = 500})), expected);

  const auto half = static_cast<std::ptrdiff_t>(lines.size() / 2);
  const PieceCounter first = counted({lines.begin(), lines.begin() + half});
  PieceCounter second = counted({lines.begin() + half, lines.end()});
  second.merge_serialised(first.serialise());
  EXPECT_EQ(format_hf_tokenizer(train_bpe(second, {.vocab_size = 500})), expected);
  EXPECT_EQ(second.serialise(), counted(lines).serialise());
}

TEST(BpeTrainer, MergesByCountThenByIds) {
  PieceCounter pieces;
  pieces.add_piece("ab", 5);
  pieces.add_piece("cd", 5);
  pieces.add_piece("aaaa", 4);  // (a, a) 12 times
  pieces.add_piece("xy", 1);
  const TokenizerModel model = train_bpe(pieces, {.vocab_size = 400, .specials = {}});
  std::vector<std::string> learnt;
  for (std::uint32_t id = 256; id < model.vocabulary.size(); ++id) learnt.emplace_back(model.vocabulary.bytes(id));
  EXPECT_EQ(learnt, (std::vector<std::string>{"aa", "ab", "cd", "aaaa"}));
}

/// Counts every pair anew for every merge.
std::vector<MergeRule> merges_by_recounting(const std::vector<std::pair<std::string, std::uint64_t>>& words,
                                            TokenizerModel model, std::uint32_t vocab_size) {
  using Ids = std::vector<std::uint32_t>;
  std::vector<std::pair<Ids, std::uint64_t>> all;
  for (const auto& [word, count] : words) {
    Ids ids;
    for (const char c : word) ids.push_back(*model.vocabulary.find({&c, 1}));
    all.emplace_back(ids, count);
  }
  std::vector<MergeRule> merges;
  while (model.vocabulary.size() < vocab_size) {
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint64_t> counts;
    for (const auto& [ids, count] : all) {
      for (std::size_t i = 0; i + 1 < ids.size(); ++i) counts[{ids[i], ids[i + 1]}] += count;
    }
    std::pair<std::uint32_t, std::uint32_t> best;
    std::uint64_t most = 1;
    for (const auto& [pair, count] : counts) {
      if (count > most) {
        most = count;
        best = pair;
      }
    }
    if (most < 2) break;
    const auto bytes =
        std::string(model.vocabulary.bytes(best.first)) + std::string(model.vocabulary.bytes(best.second));
    const std::uint32_t id = model.vocabulary.find(bytes).value_or(model.vocabulary.size());
    model.vocabulary.add(id, bytes);
    merges.push_back({best.first, best.second, id});
    for (auto& [ids, count] : all) {
      Ids merged;
      for (std::size_t i = 0; i < ids.size(); ++i) {
        const bool here = i + 1 < ids.size() && ids[i] == best.first && ids[i + 1] == best.second;
        merged.push_back(here ? id : ids[i]);
        i += here ? 1 : 0;
      }
      ids = merged;
    }
  }
  return merges;
}

TEST(BpeTrainer, EqualsRecountingOnRandomWords) {
  std::mt19937 random(5);
  for (int round = 0; round < 60; ++round) {
    std::map<std::string, std::uint64_t> words;
    for (int w = 0; w < 30; ++w) {
      std::string word;
      for (std::size_t i = 0; i < 1 + random() % 14; ++i) word += static_cast<char>('a' + random() % (2 + round % 3));
      words[word] += 1 + random() % 4;
    }
    PieceCounter pieces;
    for (const auto& [word, count] : words) pieces.add_piece(word, count);
    const TokenizerModel alphabet = train_bpe(PieceCounter(), {.vocab_size = 256, .specials = {}});
    const auto expected = merges_by_recounting({words.begin(), words.end()}, alphabet, 320);
    const TokenizerModel found = train_bpe(pieces, {.vocab_size = 320, .specials = {}});
    ASSERT_EQ(found.merges.size(), expected.size()) << "round " << round;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(found.merges[i].left, expected[i].left) << "round " << round << " merge " << i;
      EXPECT_EQ(found.merges[i].right, expected[i].right) << "round " << round << " merge " << i;
      EXPECT_EQ(found.merges[i].result, expected[i].result) << "round " << round << " merge " << i;
    }
  }
}

TEST(BpeTrainer, RefusesImpossibleRequests) {
  const PieceCounter none;
  EXPECT_THROW(train_bpe(none, {.vocab_size = 256}), Error);
  EXPECT_THROW(train_bpe(none, {.vocab_size = 300, .specials = {"<s>", "<s>"}}), Error);
  EXPECT_THROW(train_bpe(none, {.vocab_size = 300, .specials = {"END"}}), Error);  // a word could be it
  EXPECT_EQ(train_bpe(none, {.vocab_size = 300}).vocabulary.size(), 257U);
}

TEST(PieceCounter, LeavesOutWhatIsTooLong) {
  PieceCounter pieces;
  pieces.add(Pattern::gpt2, "short " + std::string(PieceCounter::kLongestPiece + 1, 'a'));
  EXPECT_EQ(pieces.left_out(), 1U);
  EXPECT_EQ(pieces.distinct(), 1U);
}

TEST(PieceCounter, RefusesDamagedCounts) {
  PieceCounter pieces;
  pieces.add_piece("piece", 3);
  const std::string good = pieces.serialise();
  for (std::size_t size = 0; size < good.size(); ++size) {
    PieceCounter other;
    EXPECT_THROW(other.merge_serialised(good.substr(0, size)), Error) << size;
  }
  PieceCounter other;
  EXPECT_THROW(other.merge_serialised(good + "x"), Error);
  std::string huge = good;
  huge[16 + 7] = '\x7F';
  EXPECT_THROW(other.merge_serialised(huge), Error);
}

/// A folder of text and JSONL files that goes with the test.
class CorpusPiecesTest : public testing::Test {
 protected:
  CorpusPiecesTest() : folder_(testing::TempDir() + "/trireme_corpus_pieces") {
    std::filesystem::create_directories(folder_);
  }
  ~CorpusPiecesTest() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& content) const {
    write_file_atomic(folder_ + "/" + name, content);
    return folder_ + "/" + name;
  }

  std::string folder_;
};

TEST_F(CorpusPiecesTest, ThreadsAndOrderDoNotMatter) {
  const std::vector<std::string> lines = lines_of(own_text());
  std::vector<std::string> files;
  for (std::size_t i = 0; i < 40; ++i) files.push_back(write(std::to_string(i) + ".txt", lines[i] + lines[i + 1]));
  files.push_back(write("more.jsonl", "{\"text\": \"seven oars\"}\nnot json\n{\"text\": \"eight oars\"}\n"));
  const CorpusPieces one = count_corpus(files, std::nullopt, Pattern::gpt2, 1);
  EXPECT_EQ(one.records.documents, 42U);
  EXPECT_EQ(one.records.total_failed(), 1U);
  std::reverse(files.begin(), files.end());
  const CorpusPieces four = count_corpus(files, std::nullopt, Pattern::gpt2, 4);
  EXPECT_EQ(one.pieces.serialise(), four.pieces.serialise());
  EXPECT_EQ(one.text_bytes, four.text_bytes);
}

TEST_F(CorpusPiecesTest, SaysWhenThereIsNothing) {
  EXPECT_THROW(count_corpus({folder_ + "/absent.txt"}, std::nullopt, Pattern::gpt2, 2), Error);
  EXPECT_THROW(count_corpus({write("bad.jsonl", "not json\n")}, std::nullopt, Pattern::gpt2, 2), Error);
  EXPECT_THROW(count_corpus({write("a.txt", "text")}, std::nullopt, Pattern::gpt2, 0), Error);
}

}  // namespace
}  // namespace trireme
