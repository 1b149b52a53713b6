// SPDX-License-Identifier: Apache-2.0
// The kernels of one instruction set, as kernel_table.cpp lists them; core/base/ops.h says what each computes.
#pragma once

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/lanes.h"

namespace trireme::cpu::TRIREME_CPU_LEVEL {

void embedding(const Embedding& op, int threads);
void embedding_backward(const EmbeddingBackward& op, int threads);
void layer_norm(const LayerNorm& op, int threads);
void layer_norm_backward(const LayerNormBackward& op, int threads);
void rms_norm(const RmsNorm& op, int threads);
void rms_norm_backward(const RmsNormBackward& op, int threads);
void column_sum(const ColumnSum& op, int threads);
void rope(const Rope& op, int threads);
void attention(const Attention& op, int threads);
void attention_backward(const AttentionBackward& op, int threads);
void gelu(const Gelu& op, int threads);
void gelu_backward(const GeluBackward& op, int threads);
void swiglu(const SwiGlu& op, int threads);
void swiglu_backward(const SwiGluBackward& op, int threads);
void softmax_part(const SoftmaxPart& op, int threads);
void cross_entropy(const CrossEntropy& op, int threads);
void token_score(const TokenScore& op, int threads);
void sum(const Sum& op, int threads);
void squared_norm(const SquaredNorm& op, int threads);
void gradient_scale(const GradientScale& op, int threads);
void adamw(const AdamW& op, int threads);
void cast(const Cast& op, int threads);
void add(const Add& op, int threads);

}  // namespace trireme::cpu::TRIREME_CPU_LEVEL
