// SPDX-License-Identifier: Apache-2.0
// Rank files line by line, each line checked before it is believed.
#include "data_pipeline/tokenizer/tiktoken_file.h"

#include <algorithm>
#include <charconv>

#include "core/base/error.h"

namespace trireme {
namespace {

// Merging by bytes looks at every split of every token: the longest real token has 128 bytes.
constexpr std::size_t kLongestToken = 512;

int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

/// Strict base64 with padding; empty if it is malformed.
std::optional<std::string> decode_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  std::string bytes;
  std::size_t padding = 0;
  while (padding < 2 && text.back() == '=') {
    text.remove_suffix(1);
    ++padding;
  }
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const int value = base64_value(c);
    if (value < 0) return std::nullopt;
    bits = (bits << 6 | static_cast<std::uint32_t>(value)) & 0xFFFFU;
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes += static_cast<char>(bits >> held & 0xFFU);
    }
  }
  if ((bits & ((1U << held) - 1)) != 0) return std::nullopt;
  return bytes;
}

void add_special(TokenizerModel& model, std::uint32_t id, std::string content, const std::string& path) {
  check(model.vocabulary.add_verbatim(id, content), "{}: special token {} cannot have id {}: the id is in use", path,
        content, id);
  model.added.push_back({id, std::move(content), true});
}

void add_llama3_specials(TokenizerModel& model, const std::string& path) {
  const auto reserved = [](int n) { return fmt::format("<|reserved_special_token_{}|>", n); };
  std::vector<std::string> names = {"<|begin_of_text|>", "<|end_of_text|>"};
  for (int n = 0; n < 4; ++n) names.push_back(reserved(n));
  names.insert(names.end(), {"<|start_header_id|>", "<|end_header_id|>", reserved(4), "<|eot_id|>"});
  for (int n = 5; n < 251; ++n) names.push_back(reserved(n));
  for (std::size_t i = 0; i < names.size(); ++i) {
    add_special(model, static_cast<std::uint32_t>(128000 + i), std::move(names[i]), path);
  }
}

/// Pattern and special tokens of the published files; false if this is none of them.
bool complete_known(TokenizerModel& model, std::size_t ranks, const std::string& path) {
  switch (ranks) {
    case 50256:
      model.pattern = Pattern::gpt2;
      add_special(model, 50256, "<|endoftext|>", path);
      return true;
    case 100256:
      model.pattern = Pattern::cl100k;
      add_special(model, 100257, "<|endoftext|>", path);
      add_special(model, 100258, "<|fim_prefix|>", path);
      add_special(model, 100259, "<|fim_middle|>", path);
      add_special(model, 100260, "<|fim_suffix|>", path);
      add_special(model, 100276, "<|endofprompt|>", path);
      return true;
    case 128000:
      model.pattern = Pattern::cl100k;
      add_llama3_specials(model, path);
      return true;
    case 199998:
      model.pattern = Pattern::o200k;
      add_special(model, 199999, "<|endoftext|>", path);
      add_special(model, 200018, "<|endofprompt|>", path);
      return true;
    default:
      return false;
  }
}

}  // namespace

TokenizerModel parse_tiktoken(std::string_view content, const std::string& path, std::optional<Pattern> pattern) {
  TokenizerModel model;
  model.merge_by_bytes = true;
  model.whole_pieces = true;
  const auto lines = static_cast<std::size_t>(std::count(content.begin(), content.end(), '\n')) + 1;
  std::size_t number = 0;
  while (!content.empty()) {
    ++number;
    std::string_view line = content.substr(0, content.find('\n'));
    content.remove_prefix(std::min(content.size(), line.size() + 1));
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty()) continue;
    const std::size_t space = line.find(' ');
    check(space != std::string_view::npos, "{}:{}: expected 'base64 rank' with a space between", path, number);
    const auto bytes = decode_base64(line.substr(0, space));
    check(bytes.has_value() && !bytes->empty() && bytes->size() <= kLongestToken,
          "{}:{}: expected the base64 of 1 to {} bytes before the space", path, number, kLongestToken);
    const std::string_view digits = line.substr(space + 1);
    std::uint32_t rank = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), rank);
    check(parsed.ec == std::errc() && parsed.ptr == digits.data() + digits.size(),
          "{}:{}: expected a rank of decimal digits behind the space", path, number);
    check_token_id(rank, lines, path, fmt::format("line {}", number));
    const auto added = model.vocabulary.add(rank, *bytes);
    check(added != Vocabulary::Added::id_taken, "{}:{}: rank {} was given before", path, number, rank);
    check(added != Vocabulary::Added::bytes_taken, "{}:{}: the token of rank {} was given another rank before", path,
          number, rank);
  }
  byte_tokens(model, path);
  const bool known = complete_known(model, model.vocabulary.count(), path);
  check_usage(known || pattern.has_value(),
              "{}: {} ranks are none of the known files (50256, 100256, 128000, 199998): name the pattern ({})", path,
              model.vocabulary.count(), known_patterns());
  if (pattern) model.pattern = *pattern;
  return model;
}

}  // namespace trireme
