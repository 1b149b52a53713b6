// SPDX-License-Identifier: Apache-2.0
// The tables that tell cuDNN's attention where the documents of a batch lie, each a sequence of a ragged batch.
#pragma once

#include <cstdint>
#include <vector>

#include "core/base/tensor.h"
#include "kernels/cuda/stream.h"
#include "kernels/document_classes.h"

namespace trireme::cuda {

/// By slot, in device memory: how long a sequence is (0: none), and where it begins in each packed tensor, in elements.
struct DocumentTables {
  std::int64_t* qkv = nullptr;  // [slots + 1], as the next two: graphs have one entry more than sequences
  std::int64_t* y = nullptr;
  std::int64_t* lse = nullptr;
  std::int32_t* lengths = nullptr;  // [slots]
  std::int32_t* taken = nullptr;    // [classes]: slots that are given away, for the kernel that does
};

/// Fills tables at `memory` (on 256 bytes) for qkv of `row` elements a token, y of `out_row`, and lse [B, H, T].
DocumentTables fill_document_tables(CudaStream& stream, void* memory, const Tensor& document_start,
                                    const std::vector<DocumentClass>& classes, std::int64_t row, std::int64_t out_row,
                                    std::int64_t heads);

}  // namespace trireme::cuda
