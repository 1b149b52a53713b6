// SPDX-License-Identifier: Apache-2.0
// What `trireme data` is told: which files, which rules, which tokenizer, and where the corpus goes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace trireme {

/// Files of one kind that belong together.
struct SourceConfig {
  std::string name;                // for the manifest: "wiki-2026-05"; empty: source-0, source-1, ...
  std::vector<std::string> files;  // paths, or patterns with * ? [] in them; a pattern's files are taken in byte order
  std::string kind;                // wet, warc, wiki, jsonl, text; empty: told from each file's name
  std::string field = "text";      // jsonl: the top-level field that holds the text
  bool blank_lines_separate = false;  // text: a blank line ends a document (otherwise the end of the file)
};

/// Quality rules; a document is rejected by the first that it breaks, in this order. docs/data.md says what a word is.
struct FilterConfig {
  std::int64_t min_characters = 1;         // code points
  std::int64_t max_characters = 20000000;  // code points
  bool gopher = true;                 // the rules below (Rae et al. 2021, appendix A1.1), made for English-like text
  std::int64_t min_words = 50;        // fewer is rejected
  std::int64_t max_words = 100000;    // more is rejected
  double min_mean_word_length = 3;    // code points; below is rejected
  double max_mean_word_length = 10;   // above is rejected
  double max_symbols_per_word = 0.1;  // '#' by words, and ellipses by words; above is rejected
  double max_bullet_lines = 0.9;      // fraction of lines; above is rejected
  double max_ellipsis_lines = 0.3;    // fraction of lines that end in an ellipsis; above is rejected
  double min_alphabetic_words = 0.8;  // fraction of words with a letter; below is rejected
  std::int64_t min_stop_words = 2;    // different ones of: the be to of and that have with
};

/// Everything that decides the bytes of a corpus (out, workers and overwrite do not).
struct DataConfig {
  std::string out;                    // folder of the corpus: shard-NNNNNN.h5 and corpus.json
  std::vector<SourceConfig> sources;  // in the order in which exact duplicates are kept: the first one stays
  std::string tokenizer;              // tokenizer.json or tiktoken ranks
  bool bos = false;                   // put the tokenizer's BOS before each document
  bool eos = true;                    // put the tokenizer's EOS after each document
  FilterConfig filter;
  bool exact_dedup = true;                   // keep the first of documents with the same text
  std::int64_t unit_bytes = 64 << 20;        // of a source file, for one work unit, which becomes one shard
  std::int64_t max_record_bytes = 16 << 20;  // a longer record, page or line is counted as failed
  double max_failed_fraction = 1;            // more than this fraction of a source's records failing is an error
  std::int64_t workers = 1;                  // threads of each rank that work on units
  bool overwrite = false;                    // replace a corpus in `out` that came from other settings or files
};

}  // namespace trireme
