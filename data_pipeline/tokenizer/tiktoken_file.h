// SPDX-License-Identifier: Apache-2.0
// Reads tiktoken rank files: a line per token, its bytes in base64 and its rank.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "data_pipeline/tokenizer/tokenizer_model.h"

namespace trireme {

/// Parses the content of a rank file. The file says neither its pattern nor its special tokens: those of r50k, cl100k,
/// o200k and Llama 3 are known by their number of ranks; any other file needs `pattern` and has no special tokens.
TokenizerModel parse_tiktoken(std::string_view content, const std::string& path, std::optional<Pattern> pattern);

}  // namespace trireme
