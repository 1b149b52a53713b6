// SPDX-License-Identifier: Apache-2.0
// Every operation's kernels on a stream, as kernels/cuda/ops.cpp calls them.
#pragma once

#include <cstddef>

#include "core/base/ops.h"
#include "kernels/cuda/stream.h"

namespace trireme::cuda {

void embedding(CudaStream& stream, const Embedding& op);
void embedding_backward(CudaStream& stream, const EmbeddingBackward& op);
void layer_norm(CudaStream& stream, const LayerNorm& op);
void layer_norm_backward(CudaStream& stream, const LayerNormBackward& op);
void rms_norm(CudaStream& stream, const RmsNorm& op);
void rms_norm_backward(CudaStream& stream, const RmsNormBackward& op);
void rope(CudaStream& stream, const Rope& op);
void gelu(CudaStream& stream, const Gelu& op);
void gelu_backward(CudaStream& stream, const GeluBackward& op);
void swiglu(CudaStream& stream, const SwiGlu& op);
void swiglu_backward(CudaStream& stream, const SwiGluBackward& op);
void softmax_part(CudaStream& stream, const SoftmaxPart& op);
void cross_entropy(CudaStream& stream, const CrossEntropy& op);
void token_score(CudaStream& stream, const TokenScore& op);
void sum(CudaStream& stream, const Sum& op);
void squared_norm(CudaStream& stream, const SquaredNorm& op);
void gradient_scale(CudaStream& stream, const GradientScale& op);
void adamw(CudaStream& stream, const AdamW& op);
void cast(CudaStream& stream, const Cast& op);
void add(CudaStream& stream, const Add& op);

/// Attention in fp32 arithmetic by tiles: any dtype and head size, document masks; what cuDNN's plans do not cover.
void tiled_attention(CudaStream& stream, const Attention& op);
void tiled_attention_backward(CudaStream& stream, const AttentionBackward& op);

/// out [columns] f32 += column sums of x [rows, columns], in a fixed order.
void column_sum(CudaStream& stream, const Tensor& out, const Tensor& x);
/// y [rows, columns] f32 += bias [columns] on every row.
void add_bias(CudaStream& stream, const Tensor& y, const Tensor& bias);

}  // namespace trireme::cuda
