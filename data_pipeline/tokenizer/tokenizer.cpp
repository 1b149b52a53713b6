// SPDX-License-Identifier: Apache-2.0
// Compiles a tokenizer model into tables and lends each call of encode() an encoder's working memory.
#include "data_pipeline/tokenizer/tokenizer.h"

#include <algorithm>
#include <initializer_list>
#include <mutex>

#include "core/base/error.h"
#include "core/io/atomic_file.h"
#include "data_pipeline/extract/normalize.h"
#include "data_pipeline/tokenizer/added_tokens.h"
#include "data_pipeline/tokenizer/encoder.h"
#include "data_pipeline/tokenizer/hf_tokenizer_file.h"
#include "data_pipeline/tokenizer/tiktoken_file.h"

namespace trireme {
namespace {

// The largest published tokenizer.json has 33 MB; JSON in memory is several times the file.
constexpr std::size_t kLargestFile = std::size_t{256} << 20;
constexpr std::size_t kLongestText = std::size_t{1} << 31;

/// tiktoken merges any two neighbours whose bytes are a token: every split of every token into two tokens is a merge.
void add_merges_by_bytes(const Vocabulary& vocabulary, MergeTable& table) {
  const auto each_split = [&](auto visit) {
    for (std::uint32_t id = 0; id < vocabulary.size(); ++id) {
      const std::string_view bytes = vocabulary.bytes(id);
      if (vocabulary.find(bytes) != id) continue;  // a special token, or none
      for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
        const auto left = vocabulary.find(bytes.substr(0, cut));
        const auto right = left ? vocabulary.find(bytes.substr(cut)) : std::nullopt;
        if (right) visit(*left, *right, id);
      }
    }
  };
  std::size_t count = 0;
  each_split([&](std::uint32_t, std::uint32_t, std::uint32_t) { ++count; });
  table.reserve(count);
  each_split([&](std::uint32_t left, std::uint32_t right, std::uint32_t id) { table.insert(left, right, {id, id}); });
}

MergeTable merge_table(const TokenizerModel& model, const std::string& name) {
  MergeTable table;
  if (model.merge_by_bytes) {
    add_merges_by_bytes(model.vocabulary, table);
    return table;
  }
  table.reserve(model.merges.size());
  std::uint32_t rank = 0;
  for (const MergeRule& rule : model.merges) {
    check(table.insert(rule.left, rule.right, {rank, rule.result}), "{}: merge {} repeats an earlier one", name, rank);
    ++rank;
  }
  return table;
}

std::optional<std::uint32_t> special_named(const TokenizerModel& model, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    for (const AddedToken& token : model.added) {
      if (token.content == name) return token.id;
    }
  }
  return std::nullopt;
}

}  // namespace

struct Tokenizer::State {
  State(TokenizerModel m, const std::string& name)
      : model(std::move(m)),
        tables{model.pattern, BpeTables(merge_table(model, name), byte_tokens(model, name)),
               model.whole_pieces ? &model.vocabulary : nullptr},
        plain(model.added, false),
        all(model.added, true),
        hash(content_hash(model)) {
    eos = special_named(model, {"<|endoftext|>", "<|end_of_text|>", "<|eos|>", "</s>"});
    bos = special_named(model, {"<|begin_of_text|>", "<|startoftext|>", "<|bos|>", "<s>"});
    if (!model.template_prefix.empty()) bos = model.template_prefix.front();
  }

  std::unique_ptr<Encoder> borrow() {
    {
      const std::lock_guard lock(mutex);
      if (!idle.empty()) {
        auto encoder = std::move(idle.back());
        idle.pop_back();
        return encoder;
      }
    }
    return std::make_unique<Encoder>(tables);
  }
  void give_back(std::unique_ptr<Encoder> encoder) {
    const std::lock_guard lock(mutex);
    idle.push_back(std::move(encoder));
  }

  TokenizerModel model;
  EncodingTables tables;
  AddedTokenFinder plain;
  AddedTokenFinder all;
  std::string hash;
  std::optional<std::uint32_t> bos;
  std::optional<std::uint32_t> eos;
  std::mutex mutex;
  std::vector<std::unique_ptr<Encoder>> idle;  // as many as threads have ever encoded at once
};

Tokenizer::Tokenizer(TokenizerModel model, const std::string& name)
    : state_(std::make_unique<State>(std::move(model), name)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Tokenizer Tokenizer::load(const std::string& path, std::optional<Pattern> pattern) {
  return parse(read_tokenizer_file(path, kLargestFile), path, pattern);
}

Tokenizer Tokenizer::parse(std::string_view content, const std::string& name, std::optional<Pattern> pattern) {
  const std::size_t first = content.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || content[first] != '{') {
    return Tokenizer(parse_tiktoken(content, name, pattern), name);
  }
  Tokenizer tokenizer(parse_hf_tokenizer(content, name), name);
  check_usage(!pattern || *pattern == tokenizer.model().pattern, "{}: has pattern {}, but {} was asked for", name,
              pattern_name(tokenizer.model().pattern), pattern_name(pattern.value_or(Pattern::gpt2)));
  return tokenizer;
}

void Tokenizer::encode(std::string_view text, std::vector<std::uint32_t>& ids, SpecialTokens special) const {
  check(text.size() <= kLongestText, "cannot encode a text of {} bytes: at most {} at once", text.size(), kLongestText);
  const AddedTokenFinder& finder = special == SpecialTokens::recognised ? state_->all : state_->plain;
  std::unique_ptr<Encoder> encoder = state_->borrow();
  std::string composed;
  std::size_t done = 0;
  while (done < text.size()) {
    const AddedTokenFinder::Match match = finder.find(text, done);
    const std::size_t until = std::min(match.begin, text.size());
    const std::string_view part = text.substr(done, until - done);
    if (!part.empty()) encoder->encode(state_->model.nfc ? compose_text(part, composed) : part, ids);
    if (match.length > 0) ids.push_back(match.id);
    done = until + match.length;
  }
  state_->give_back(std::move(encoder));
}

std::vector<std::uint32_t> Tokenizer::encode(std::string_view text, SpecialTokens special) const {
  std::vector<std::uint32_t> ids;
  encode(text, ids, special);
  return ids;
}

std::string Tokenizer::decode(std::span<const std::uint32_t> ids) const {
  std::string text;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::string_view bytes = token_bytes(ids[i]);
    check(!bytes.empty(), "cannot decode id {} at position {}: the vocabulary of {} ids has no such token", ids[i], i,
          vocab_size());
    text += bytes;
  }
  return text;
}

std::string_view Tokenizer::token_bytes(std::uint32_t id) const { return state_->model.vocabulary.bytes(id); }
std::uint32_t Tokenizer::vocab_size() const { return state_->model.vocabulary.size(); }
std::optional<std::uint32_t> Tokenizer::bos() const { return state_->bos; }
std::optional<std::uint32_t> Tokenizer::eos() const { return state_->eos; }
const std::string& Tokenizer::hash() const { return state_->hash; }
const TokenizerModel& Tokenizer::model() const { return state_->model; }

void Tokenizer::save(const std::string& path) const { write_file_atomic(path, format_hf_tokenizer(state_->model)); }

}  // namespace trireme
