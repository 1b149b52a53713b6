// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/attention_documents.h"
#include "kernels/cuda/lanes.cuh"

namespace trireme::cuda {
namespace {

constexpr auto kMostClasses = static_cast<int>(kMostDocumentClasses);
constexpr int kThreads = 256;

struct Placing {
  DocumentTables tables;
  const std::int32_t* start;  // [B, T]
  std::int64_t time, tokens, row, out_row, heads;
  std::int64_t longest[kMostClasses];
  std::int64_t first[kMostClasses];
  std::int64_t sequences[kMostClasses];
  std::int64_t stride[kMostClasses];
  std::int64_t runs[kMostClasses];
};

/// A thread for each token; the last one of a document takes a slot. Which one is left to chance: sequences do not
/// know of each other.
__global__ void place(const Placing op) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= op.tokens) return;
  const std::int64_t t = i % op.time;
  if (t + 1 < op.time && op.start[i + 1] != t + 1) return;
  const std::int64_t begin = op.start[i];
  const std::int64_t length = t + 1 - begin;
  int c = 0;
  while (length > op.longest[c]) ++c;
  const std::int64_t taken = atomicAdd(&op.tables.taken[c], 1);
  const std::int64_t run = taken / op.sequences[c];
  if (run >= op.runs[c]) __trap();  // the host counted other documents
  const std::int64_t slot = op.first[c] + run * op.stride[c] + taken % op.sequences[c];
  const std::int64_t b = i / op.time;
  op.tables.lengths[slot] = static_cast<std::int32_t>(length);
  op.tables.qkv[slot] = (b * op.time + begin) * op.row;
  op.tables.y[slot] = (b * op.time + begin) * op.out_row;
  op.tables.lse[slot] = b * op.heads * op.time + begin;
}

std::int64_t slots_of(const std::vector<DocumentClass>& classes) {
  return classes.back().first + classes.back().slots();
}

}  // namespace

DocumentTables fill_document_tables(CudaStream& stream, void* memory, const Tensor& document_start,
                                    const std::vector<DocumentClass>& classes, std::int64_t row, std::int64_t out_row,
                                    std::int64_t heads) {
  assert(classes.size() <= kMostDocumentClasses);
  const std::int64_t slots = slots_of(classes);
  Placing op{.tables = {},
             .start = data_of<const std::int32_t>(document_start),
             .time = document_start.shape[1],
             .tokens = document_start.elements(),
             .row = row,
             .out_row = out_row,
             .heads = heads,
             .longest = {},
             .first = {},
             .sequences = {},
             .stride = {},
             .runs = {}};
  op.tables.qkv = static_cast<std::int64_t*>(memory);
  op.tables.y = op.tables.qkv + document_table_entries(slots);
  op.tables.lse = op.tables.y + document_table_entries(slots);
  op.tables.lengths = static_cast<std::int32_t*>(static_cast<void*>(op.tables.lse + document_table_entries(slots)));
  op.tables.taken = op.tables.lengths + document_table_entries(slots);
  for (std::size_t c = 0; c < classes.size(); ++c) {
    op.longest[c] = classes[c].longest;
    op.first[c] = classes[c].first;
    op.sequences[c] = classes[c].sequences;
    op.stride[c] = classes[c].stride();
    op.runs[c] = classes[c].runs;
  }
  check(cudaMemsetAsync(memory, 0, document_table_bytes(slots), stream.handle()), "cannot clear the tables");
  place<<<blocks_for(op.tokens, kThreads), kThreads, 0, stream.handle()>>>(op);
  check_launch("attention's documents");
  return op.tables;
}

}  // namespace trireme::cuda
