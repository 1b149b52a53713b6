// SPDX-License-Identifier: Apache-2.0
// The spellings of the known patterns; piece_scanner.h holds the state machines that do their work.
#include "data_pipeline/tokenizer/pattern.h"

#include <array>

namespace trireme {
namespace {

struct Spelling {
  Pattern pattern;
  std::string_view regex;
};

constexpr std::array<std::string_view, 4> kNames = {"gpt2", "cl100k", "qwen2", "o200k"};

// The first spelling of each pattern is the one that is written. A later one cuts the same pieces.
constexpr std::array<Spelling, 5> kSpellings = {{
    {Pattern::gpt2, R"re('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)re"},
    {Pattern::gpt2, R"re('(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s)re"},
    {Pattern::cl100k, R"re((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)re"
                      R"re( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)re"},
    {Pattern::qwen2, R"re((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|)re"
                     R"re( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)re"},
    {Pattern::o200k,
     R"re([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)re"
     R"re([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)re"
     R"re(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)re"},
}};

}  // namespace

std::string_view pattern_name(Pattern pattern) { return kNames[static_cast<std::size_t>(pattern)]; }

std::string_view pattern_regex(Pattern pattern) {
  for (const Spelling& spelling : kSpellings) {
    if (spelling.pattern == pattern) return spelling.regex;
  }
  return {};
}

std::optional<Pattern> pattern_of_name(std::string_view name) {
  if (name == "llama3") return Pattern::cl100k;
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<Pattern>(i);
  }
  return std::nullopt;
}

std::optional<Pattern> pattern_of_regex(std::string_view regex) {
  for (const Spelling& spelling : kSpellings) {
    if (spelling.regex == regex) return spelling.pattern;
  }
  return std::nullopt;
}

std::string known_patterns() {
  std::string all;
  for (const std::string_view name : kNames) {
    if (!all.empty()) all += ", ";
    all += name;
  }
  return all;
}

}  // namespace trireme
