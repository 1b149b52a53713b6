// SPDX-License-Identifier: Apache-2.0
// Byte-level BPE tokenizers: load, encode, decode, save. Token-exact with Hugging Face tokenizers and tiktoken.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data_pipeline/tokenizer/tokenizer_model.h"

namespace trireme {

/// Whether text that spells a special token ("<|endoftext|>") becomes that token or stays text, as in a corpus it must.
enum class SpecialTokens : std::uint8_t { as_text, recognised };

/// Immutable once made; every method may be called by any number of threads at once.
class Tokenizer {
 public:
  /// Reads a Hugging Face tokenizer.json or a tiktoken rank file (either may be gzipped). Rank files do not say their
  /// pattern: it is known for the published ones, else `pattern` must be given (tokenizer.json: must be absent or
  /// agree).
  static Tokenizer load(const std::string& path, std::optional<Pattern> pattern = std::nullopt);

  /// Reads the content of such a file; `name` is for messages.
  static Tokenizer parse(std::string_view content, const std::string& name,
                         std::optional<Pattern> pattern = std::nullopt);

  /// Compiles a model, e.g. a trained one; `name` is for messages.
  Tokenizer(TokenizerModel model, const std::string& name);
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  /// Appends the ids of the text, which may be any bytes up to 2 GiB. Adds neither BOS nor EOS, whatever the file's
  /// post-processor says. Added tokens that are not special are recognised always. Linear in the text but for a
  /// logarithm of the longest piece.
  void encode(std::string_view text, std::vector<std::uint32_t>& ids,
              SpecialTokens special = SpecialTokens::as_text) const;
  std::vector<std::uint32_t> encode(std::string_view text, SpecialTokens special = SpecialTokens::as_text) const;

  /// The bytes of the ids, special tokens included: of any text, decode(encode(text)) == text, or its NFC where the
  /// model says so. Fails on an id that no token has.
  std::string decode(std::span<const std::uint32_t> ids) const;

  /// Bytes of one token; empty for an id that no token has.
  std::string_view token_bytes(std::uint32_t id) const;

  /// One more than the largest id: what an embedding table must hold.
  std::uint32_t vocab_size() const;

  /// The token that begins or ends a document, if the vocabulary has one; GPT-2's only special token is its eos.
  std::optional<std::uint32_t> bos() const;
  std::optional<std::uint32_t> eos() const;

  /// 32 hexadecimal digits over everything that decides ids; equal exactly for tokenizers that are the same.
  const std::string& hash() const;

  const TokenizerModel& model() const;

  /// Writes a tokenizer.json that load() and Hugging Face tokenizers read. Fails for a tiktoken vocabulary.
  void save(const std::string& path) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace trireme
