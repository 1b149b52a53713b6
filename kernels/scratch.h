// SPDX-License-Identifier: Apache-2.0
// The memory that a GPU's operations take beside their tensors: found here by the shapes alone, so that what is planned
// and what is taken are the same.
#pragma once

#include <cstddef>

#include "core/base/ops.h"
#include "kernels/kernels.h"

namespace trireme {

/// What a stream with any operation that needs scratch has at least: the workspace that products choose from (twice
/// what cuBLAS recommends for Hopper), and more than every operation but attention's backward pass needs.
inline constexpr std::size_t kLeastScratch = std::size_t{64} << 20U;

/// Whether attention's backward pass over rows of `time` tokens has the same bits on every run.
bool repeats(Determinism deterministic, std::int64_t time);
/// Whether a GPU gives attention of these tensors to cuDNN, if that has an engine for them; else to a kernel without
/// scratch. qkv [B, T, H + 2G, K].
bool attention_has_graph(const Tensor& qkv);
/// Bytes that cuDNN's graph of the backward pass works in, by the frontend that describes it and by cuDNN 9.19: 256;
/// the rows' sums of dy * y in fp32; then, to repeat bit for bit, the scores' gradients [B, H, T, T] in bf16 with T
/// rounded up to tiles of 64 queries and 128 keys, or else the queries' gradients [B, H, T, K] in fp32; and where
/// several heads share keys and values, the gradients of both for each head, [B, H, T, K] in bf16. Within documents,
/// the most of this for any of document_classes(B, T), whose sequences are then B and whose longest is T, and the
/// tables of where documents lie. 0 without a graph.
std::size_t attention_scratch(const AttentionBackward& op, Determinism deterministic);

}  // namespace trireme
