// SPDX-License-Identifier: Apache-2.0
// The pre-tokenisation patterns that are known, by name and by the regular expressions that stand for them in files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace trireme {

/// The version of the Unicode character database by which code points are letters, numbers, marks or space.
inline constexpr const char* kUnicodeVersion = "16.0.0";

/// How text is cut into pieces, across whose borders no merge goes. llama3 files use cl100k; qwen2 is cl100k with
/// digits one by one.
enum class Pattern : std::uint8_t { gpt2, cl100k, qwen2, o200k };

/// "gpt2", "cl100k", "qwen2", "o200k".
std::string_view pattern_name(Pattern pattern);

/// The regular expression of the pattern, as tokenizer.json files write it.
std::string_view pattern_regex(Pattern pattern);

/// The pattern of that name ("llama3" is cl100k); empty if there is none.
std::optional<Pattern> pattern_of_name(std::string_view name);

/// The pattern that a regular expression stands for, compared literally with the known spellings.
std::optional<Pattern> pattern_of_regex(std::string_view regex);

/// "gpt2, cl100k, qwen2, o200k": for messages.
std::string known_patterns();

}  // namespace trireme
