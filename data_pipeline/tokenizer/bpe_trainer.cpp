// SPDX-License-Identifier: Apache-2.0
// Pair counts are kept up to date merge by merge; a heap with stale entries gives the next pair.
#include "data_pipeline/tokenizer/bpe_trainer.h"

#include <algorithm>
#include <queue>
#include <unordered_map>

#include "core/base/error.h"
#include "core/base/stop.h"
#include "data_pipeline/tokenizer/byte_level.h"
#include "data_pipeline/tokenizer/piece_scanner.h"

namespace trireme {
namespace {

using Pair = std::uint64_t;  // left id << 32 | right id: ordered as the ids are

Pair pair_of(std::uint32_t left, std::uint32_t right) { return static_cast<Pair>(left) << 32 | right; }

struct PairHash {
  std::size_t operator()(Pair pair) const {
    pair = (pair ^ pair >> 29) * 0x9E3779B97F4A7C15ULL;
    return pair ^ pair >> 32;
  }
};

/// A distinct piece: its symbols as they are after the merges so far.
struct Word {
  std::uint64_t begin;
  std::uint32_t length;
  std::uint64_t count;
};

class Learner {
 public:
  Learner(const PieceCounter& pieces, const std::array<std::uint32_t, 256>& byte_ids) {
    for (const auto& [piece, count] : pieces.sorted()) {
      words_.push_back({symbols_.size(), static_cast<std::uint32_t>(piece.size()), count});
      for (const char c : piece) symbols_.push_back(byte_ids[static_cast<unsigned char>(c)]);
    }
    for (std::uint32_t w = 0; w < words_.size(); ++w) {
      const std::uint32_t* s = symbols_.data() + words_[w].begin;
      for (std::uint32_t i = 0; i + 1 < words_[w].length; ++i) gain(s[i], s[i + 1], w);
    }
    push_gained();
  }

  /// The pair to merge next, or false if none occurs min_count times.
  bool best(std::uint64_t min_count, std::uint32_t& left, std::uint32_t& right) {
    while (!heap_.empty()) {
      Candidate top = heap_.top();
      heap_.pop();
      const std::uint64_t count = pairs_.at(top.pair).count;
      if (count != top.count) {
        if (count > 0) heap_.push({count, top.pair});
        continue;
      }
      if (count < min_count) return false;
      left = static_cast<std::uint32_t>(top.pair >> 32);
      right = static_cast<std::uint32_t>(top.pair);
      return true;
    }
    return false;
  }

  /// Replaces the pair by `id` wherever it occurs, from left to right.
  void merge(std::uint32_t left, std::uint32_t right, std::uint32_t id) {
    std::vector<std::uint32_t> where;
    where.swap(pairs_.at(pair_of(left, right)).words);
    for (const std::uint32_t w : where) merge_in(w, left, right, id);
    push_gained();
  }

 private:
  struct Occurrences {
    std::uint64_t count = 0;
    std::vector<std::uint32_t> words;  // a superset, perhaps with repetitions
    bool gained = false;
  };
  struct Candidate {
    std::uint64_t count;
    Pair pair;
    bool operator<(const Candidate& other) const {
      return count != other.count ? count < other.count : pair > other.pair;
    }
  };

  void gain(std::uint32_t left, std::uint32_t right, std::uint32_t w) {
    const Pair pair = pair_of(left, right);
    Occurrences& found = pairs_[pair];
    found.count += words_[w].count;
    if (found.words.empty() || found.words.back() != w) found.words.push_back(w);
    if (!found.gained) {
      found.gained = true;
      gained_.push_back(pair);
    }
  }

  void lose(std::uint32_t left, std::uint32_t right, std::uint32_t w) {
    pairs_.at(pair_of(left, right)).count -= words_[w].count;
  }

  void push_gained() {
    for (const Pair pair : gained_) {
      Occurrences& found = pairs_.at(pair);
      found.gained = false;
      if (found.count > 0) heap_.push({found.count, pair});
    }
    gained_.clear();
  }

  void merge_in(std::uint32_t w, std::uint32_t left, std::uint32_t right, std::uint32_t id) {
    std::uint32_t* s = symbols_.data() + words_[w].begin;
    const std::uint32_t n = words_[w].length;
    std::uint32_t kept = 0;
    for (std::uint32_t i = 0; i < n; ++i) {
      if (i + 1 == n || s[i] != left || s[i + 1] != right) {
        s[kept++] = s[i];
        continue;
      }
      lose(left, right, w);
      if (kept > 0) {
        lose(s[kept - 1], left, w);
        gain(s[kept - 1], id, w);
      }
      if (i + 2 < n) {
        lose(right, s[i + 2], w);
        gain(id, s[i + 2], w);
      }
      s[kept++] = id;
      ++i;
    }
    words_[w].length = kept;
  }

  std::vector<Word> words_;
  std::vector<std::uint32_t> symbols_;
  std::unordered_map<Pair, Occurrences, PairHash> pairs_;
  std::priority_queue<Candidate> heap_;
  std::vector<Pair> gained_;
};

/// Special tokens, then the bytes in the order of the code points that spell them.
void add_alphabet(TokenizerModel& model, const std::vector<std::string>& specials) {
  std::uint32_t id = 0;
  for (const std::string& special : specials) {
    std::size_t pieces = 0;
    for_each_piece(model.pattern, special, [&](std::string_view) { ++pieces; });
    check_usage(pieces >= 2, "special token \"{}\" is a single piece, which text can spell: write <|{}|> or the like",
                special, special);
    check_usage(model.vocabulary.add(id, special) == Vocabulary::Added::yes, "special token \"{}\" is given twice",
                special);
    model.added.push_back({id++, special, true});
  }
  std::vector<std::pair<std::string, char>> bytes;  // UTF-8 sorts as its code points do
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    bytes.emplace_back(to_byte_level({&c, 1}), c);
  }
  std::sort(bytes.begin(), bytes.end());
  for (const auto& [spelled, c] : bytes) model.vocabulary.add(id++, {&c, 1});
}

}  // namespace

TokenizerModel train_bpe(const PieceCounter& pieces, const BpeTraining& training) {
  const std::size_t least = 256 + training.specials.size();
  check_usage(training.vocab_size >= least && training.vocab_size < kMostTokens,
              "a vocabulary of {} tokens: expected {} (all bytes and special tokens) to {}", training.vocab_size, least,
              kMostTokens - 1);
  TokenizerModel model;
  model.pattern = training.pattern;
  add_alphabet(model, training.specials);
  Learner learner(pieces, byte_tokens(model, "training"));
  std::uint32_t left = 0;
  std::uint32_t right = 0;
  while (model.vocabulary.size() < training.vocab_size &&
         learner.best(std::max<std::uint64_t>(1, training.min_count), left, right)) {
    leave_if_stop_requested();
    std::string bytes(model.vocabulary.bytes(left));
    bytes += model.vocabulary.bytes(right);
    std::uint32_t id = model.vocabulary.size();
    if (model.vocabulary.add(id, bytes) == Vocabulary::Added::bytes_taken) id = *model.vocabulary.find(bytes);
    model.merges.push_back({left, right, id});
    learner.merge(left, right, id);
  }
  return model;
}

}  // namespace trireme
