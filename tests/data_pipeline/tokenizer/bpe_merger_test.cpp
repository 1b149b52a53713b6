// SPDX-License-Identifier: Apache-2.0
// The merge loops against quadratic merging, on both sides of where one takes over from the other.
#include "data_pipeline/tokenizer/bpe_merger.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

#include "core/io/atomic_file.h"
#include "data_pipeline/tokenizer/hf_tokenizer_file.h"
#include "data_pipeline/tokenizer/tokenizer.h"
#include "tests/data_pipeline/tokenizer/golden.h"

namespace trireme {
namespace {

using Ids = std::vector<std::uint32_t>;

/// Finds the lowest rank from the left, merges it, and starts over.
Ids merged_slowly(const TokenizerModel& model, std::string_view piece) {
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::pair<std::size_t, std::uint32_t>> rules;
  for (std::size_t rank = 0; rank < model.merges.size(); ++rank) {
    const MergeRule& rule = model.merges[rank];
    rules[{rule.left, rule.right}] = {rank, rule.result};
  }
  Ids ids;
  for (const char c : piece) ids.push_back(*model.vocabulary.find({&c, 1}));
  for (;;) {
    std::size_t lowest = model.merges.size();
    std::size_t best = 0;
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
      const auto found = rules.find({ids[i], ids[i + 1]});
      if (found != rules.end() && found->second.first < lowest) {
        lowest = found->second.first;
        best = i;
      }
    }
    if (lowest == model.merges.size()) return ids;
    ids[best] = model.merges[lowest].result;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

BpeTables tables_of(const TokenizerModel& model) {
  MergeTable merges;
  merges.reserve(model.merges.size());
  for (std::uint32_t rank = 0; rank < model.merges.size(); ++rank) {
    const MergeRule& rule = model.merges[rank];
    EXPECT_TRUE(merges.insert(rule.left, rule.right, {rank, rule.result}));
  }
  return {std::move(merges), byte_tokens(model, "model")};
}

TEST(BpeMerger, EqualsQuadraticMerging) {
  const TokenizerModel model = parse_hf_tokenizer(read_file(golden("tokenizer_small.json"), 1 << 20), "small");
  const BpeTables tables = tables_of(model);
  BpeMerger merger(tables);
  const std::string text = read_file(golden("tokenizer_text.txt"), 1 << 20);
  std::mt19937 random(3);
  for (int round = 0; round < 1500; ++round) {
    // Slices of the text merge far; slices shuffled by bytes meet merges that the text does not have.
    const std::size_t size = 1 + random() % (round % 10 == 0 ? 400 : 120);
    std::string piece = text.substr(random() % (text.size() - size), size);
    if (round % 3 == 0) std::shuffle(piece.begin(), piece.end(), random);
    ASSERT_EQ(merger.merge(piece), merged_slowly(model, piece)) << "round " << round;
  }
}

TEST(BpeMerger, EqualsQuadraticMergingWhereRanksAreInNoOrder) {
  // Merges whose parts come later in the list than they do, as no training gives them but a file may.
  TokenizerModel model;
  std::uint32_t id = 0;
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    model.vocabulary.add(id++, {&c, 1});
  }
  std::mt19937 random(4);
  std::vector<std::uint32_t> tokens = {'a', 'b', 'c'};
  while (tokens.size() < 60) {
    const std::uint32_t left = tokens[random() % tokens.size()];
    const std::uint32_t right = tokens[random() % tokens.size()];
    const std::string bytes = std::string(model.vocabulary.bytes(left)) + std::string(model.vocabulary.bytes(right));
    if (bytes.size() > 8 || model.vocabulary.add(id, bytes) != Vocabulary::Added::yes) continue;
    tokens.push_back(id);
    model.merges.push_back({left, right, id++});
  }
  std::shuffle(model.merges.begin(), model.merges.end(), random);
  const BpeTables tables = tables_of(model);
  BpeMerger merger(tables);
  for (int round = 0; round < 1500; ++round) {
    std::string piece;
    for (std::size_t n = 1 + random() % 200; n > 0; --n) piece += static_cast<char>('a' + random() % 3);
    ASSERT_EQ(merger.merge(piece), merged_slowly(model, piece)) << piece;
  }
}

TEST(BpeMerger, LongRunsAcrossSixteenBits) {
  const Tokenizer tokenizer(parse_hf_tokenizer(read_file(golden("tokenizer_small.json"), 1 << 20), "small"), "small");
  for (const std::size_t size : {65534U, 65535U, 65536U, 65537U, 131072U}) {
    for (const std::string unit : {"a", "he", "\xCC\x81"}) {
      std::string text;
      while (text.size() < size) text += unit;
      EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text) << size << unit;
    }
  }
}

TEST(MergeTable, TakesAPairOnce) {
  MergeTable table;
  table.reserve(2);
  EXPECT_TRUE(table.insert(1, 2, {0, 3}));
  EXPECT_FALSE(table.insert(1, 2, {1, 4}));
  EXPECT_EQ(table.find(1, 2).id, 3U);
  EXPECT_EQ(table.find(2, 1).rank, kNoMerge);
  EXPECT_EQ(table.size(), 1U);
}

}  // namespace
}  // namespace trireme
