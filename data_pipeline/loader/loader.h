// SPDX-License-Identifier: Apache-2.0
// Batches out of token shards: which samples there are, in which order, and who reads them ahead.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/batch.h"
#include "core/base/device.h"

namespace trireme {

/// One corpus of a mixture.
struct CorpusConfig {
  std::string path;   // folder with corpus.json, the corpus.json itself, or a single shard (.h5)
  double weight = 1;  // samples of this corpus in proportion to the others' weights, exact to one sample per tree level
};

enum class Split { train, validation };

struct LoaderConfig {
  std::vector<CorpusConfig> corpora;
  std::int64_t sequence = 1024;  // T: tokens of a row
  std::uint64_t seed = 0;
  bool document_mask = false;
  Split split = Split::train;
  double validation_fraction = 0;  // of each shard's tokens, its last documents: only ever in the validation split
};

/// What a loader reads: known before the first sample.
struct LoaderInfo {
  std::uint64_t vocabulary = 0;  // ids are below it, in every corpus
  std::string tokenizer;         // its hash, the same in every corpus
  std::int64_t eos = -1;         // the id that ends each document, -1 for none
  std::uint64_t tokens = 0;      // of all corpora, in this split
  std::uint64_t samples = 0;     // of all corpora, in this split
};

/// A sample is T+1 tokens of a corpus's stream (its shards one after another in the manifest's order): window k covers
/// tokens [k T, k T + T], so neighbours share one token and every token but the stream's first is a target exactly once
/// in an epoch; up to T tokens at the end of the stream are left out. A target is the next token of the stream, also
/// after the EOS token, where it is the next document's first; under the document mask that target is -1.
///
/// The order is a function of (seed, position) and of the corpora alone: ranks, micro-batches and restarts do not
/// change it. The source keeps two buffers in pinned memory of `device`, which must outlive it. Throws Error(usage)
/// when the corpora do not agree about the tokenizer, or a corpus has not T+1 tokens in this split.
std::unique_ptr<BatchSource> make_loader(Device& device, const LoaderConfig& config);

/// Opens the corpora as make_loader does, and says what is there.
LoaderInfo describe_loader(const LoaderConfig& config);

}  // namespace trireme
