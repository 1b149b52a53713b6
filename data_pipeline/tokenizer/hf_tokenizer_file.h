// SPDX-License-Identifier: Apache-2.0
// Reads and writes Hugging Face tokenizer.json files of byte-level BPE.
#pragma once

#include <string>
#include <string_view>

#include "data_pipeline/tokenizer/tokenizer_model.h"

namespace trireme {

/// Parses tokenizer.json, with new or legacy merges. Whatever would change ids and is not understood (a normalizer,
/// another pre-tokeniser, dropout, byte fallback) is an error that names it.
TokenizerModel parse_hf_tokenizer(std::string_view content, const std::string& path);

/// The text of a tokenizer.json that Hugging Face tokenizers loads and that gives the same ids there. The model must
/// have a list of merges (not merge_by_bytes).
std::string format_hf_tokenizer(const TokenizerModel& model);

}  // namespace trireme
