// SPDX-License-Identifier: Apache-2.0
// A tokenizer as plain data: what the readers of files make, the writer writes and Tokenizer compiles.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data_pipeline/tokenizer/pattern.h"
#include "data_pipeline/tokenizer/vocabulary.h"

namespace trireme {

/// Two tokens that merge into a third; its rank is its place in the list.
struct MergeRule {
  std::uint32_t left;
  std::uint32_t right;
  std::uint32_t result;
};

/// A token that is cut out of the text before the pattern sees it.
struct AddedToken {
  std::uint32_t id;
  std::string content;
  bool special;  ///< a control token: text that spells it is only taken for it where the caller allows that
};

struct TokenizerModel {
  Pattern pattern = Pattern::gpt2;
  Vocabulary vocabulary;          ///< added tokens included
  std::vector<MergeRule> merges;  ///< by rank; empty where merge_by_bytes
  bool merge_by_bytes = false;    ///< tiktoken: two neighbours merge if their bytes are a token, whose id is the rank
  bool whole_pieces = false;      ///< a piece that is a token is not merged (tiktoken, ignore_merges)
  bool nfc = false;               ///< text is put into NFC before the pattern sees it
  std::vector<AddedToken> added;  ///< by id
  std::vector<std::uint32_t> template_prefix;  ///< what the file's post-processor would put before a text
  std::vector<std::uint32_t> template_suffix;  ///< and behind it; recorded, never applied
};

/// The tokens of single bytes, by byte value. Fails, naming the file, if one is missing.
std::array<std::uint32_t, 256> byte_tokens(const TokenizerModel& model, std::string_view path);

/// 32 hexadecimal digits over everything that decides the ids of a text.
std::string content_hash(const TokenizerModel& model);

/// Refuses ids that a file of `count` entries has no use for, before anything is allocated by them.
void check_token_id(std::uint64_t id, std::size_t count, std::string_view path, std::string_view entry);

/// The whole content of a file, gunzipped if it is a gzip file. Fails beyond `limit` bytes of content.
std::string read_tokenizer_file(const std::string& path, std::size_t limit);

}  // namespace trireme
