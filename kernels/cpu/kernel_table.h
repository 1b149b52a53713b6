// SPDX-License-Identifier: Apache-2.0
// The kernels that are compiled once for each instruction set; the table is chosen when operations are made.
#pragma once

#include <cstdint>

#include "core/base/ops.h"

namespace trireme::cpu {

/// Adds the column sums of x [rows, columns] to out [columns] f32.
struct ColumnSum {
  Tensor out;
  Tensor x;
};

template <class Op>
using Kernel = void (*)(const Op& op, int threads);

struct KernelTable {
  Kernel<Embedding> embedding;
  Kernel<EmbeddingBackward> embedding_backward;
  Kernel<LayerNorm> layer_norm;
  Kernel<LayerNormBackward> layer_norm_backward;
  Kernel<RmsNorm> rms_norm;
  Kernel<RmsNormBackward> rms_norm_backward;
  Kernel<ColumnSum> column_sum;
  Kernel<Rope> rope;
  Kernel<Attention> attention;
  Kernel<AttentionBackward> attention_backward;
  Kernel<Gelu> gelu;
  Kernel<GeluBackward> gelu_backward;
  Kernel<SwiGlu> swiglu;
  Kernel<SwiGluBackward> swiglu_backward;
  Kernel<SoftmaxPart> softmax_part;
  Kernel<CrossEntropy> cross_entropy;
  Kernel<TokenScore> token_score;
  Kernel<Sum> sum;
  Kernel<SquaredNorm> squared_norm;
  Kernel<GradientScale> gradient_scale;
  Kernel<AdamW> adamw;
  Kernel<Cast> cast;
  Kernel<Add> add;
  float (*exponential)(float x);  // what the kernels use for e^x
};

enum class InstructionSet { baseline, avx2, avx512 };

/// The kernels for an instruction set, or null where this build or this processor lacks it.
const KernelTable* kernel_table(InstructionSet set);
/// The best that this processor has.
const KernelTable& best_kernel_table();

}  // namespace trireme::cpu
