// SPDX-License-Identifier: Apache-2.0
#include "launch/data_config_fields.h"

namespace trireme {

void fields(FieldVisitor& v, SourceConfig& c) {
  v.field("name", c.name, "for the manifest; empty: source-0, source-1, ...");
  v.field("files", c.files, "paths, or patterns with * ? []");
  v.field("kind", c.kind, "wet, warc, wiki, jsonl or text; empty: told from each file's name");
  v.field("field", c.field, "jsonl: the field that holds the text");
  v.field("blank_lines_separate", c.blank_lines_separate, "text: a blank line ends a document");
}

void fields(FieldVisitor& v, FilterConfig& c) {
  v.field("min_characters", c.min_characters, "code points of a document", kNotNegative);
  v.field("max_characters", c.max_characters, "code points of a document", kAtLeastOne);
  v.field("gopher", c.gopher, "the rules below, made for English-like text");
  v.field("min_words", c.min_words, "fewer is rejected", kNotNegative);
  v.field("max_words", c.max_words, "more is rejected", kAtLeastOne);
  v.field("min_mean_word_length", c.min_mean_word_length, "code points; below is rejected", kNotNegative);
  v.field("max_mean_word_length", c.max_mean_word_length, "code points; above is rejected", kPositive);
  v.field("max_symbols_per_word", c.max_symbols_per_word, "# or ellipses; above is rejected", kNotNegative);
  v.field("max_bullet_lines", c.max_bullet_lines, "fraction of lines; above is rejected", kFraction);
  v.field("max_ellipsis_lines", c.max_ellipsis_lines, "fraction of lines; above is rejected", kFraction);
  v.field("min_alphabetic_words", c.min_alphabetic_words, "fraction with a letter; below is rejected", kFraction);
  v.field("min_stop_words", c.min_stop_words, "different ones of: the be to of and that have with",
          {.low = 0, .high = 8});
}

void fields(FieldVisitor& v, DataConfig& c) {
  v.field("out", c.out, "folder of the corpus");
  v.list("sources", c.sources, "in the order in which exact duplicates are kept");
  v.field("tokenizer", c.tokenizer, "a tokenizer.json or tiktoken ranks");
  v.field("bos", c.bos, "put the tokenizer's BOS before each document");
  v.field("eos", c.eos, "put the tokenizer's EOS after each document");
  v.group("filter", "quality rules", [&] { fields(v, c.filter); });
  v.field("exact_dedup", c.exact_dedup, "keep the first of documents with the same text");
  v.field("unit_bytes", c.unit_bytes, "of a source file, for one work unit, which becomes one shard", {.low = 4096});
  v.field("max_record_bytes", c.max_record_bytes, "a longer record is counted as failed", {.low = 1024});
  v.field("max_failed_fraction", c.max_failed_fraction, "of a source's records; more is an error", kFraction);
  v.field("workers", c.workers, "threads of each rank", {.low = 1, .high = 1024});
  v.field("overwrite", c.overwrite, "replace a corpus that came from other settings");
}

}  // namespace trireme
