// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/kernel_table.h"

#include "kernels/cpu/lanes.h"
#include "kernels/cpu/level.h"

namespace trireme::cpu::TRIREME_CPU_LEVEL {
namespace {

float one_exponential(float x) { return exponential(x); }

}  // namespace

extern const KernelTable kTable;
const KernelTable kTable = {
    .embedding = embedding,
    .embedding_backward = embedding_backward,
    .layer_norm = layer_norm,
    .layer_norm_backward = layer_norm_backward,
    .rms_norm = rms_norm,
    .rms_norm_backward = rms_norm_backward,
    .column_sum = column_sum,
    .rope = rope,
    .attention = attention,
    .attention_backward = attention_backward,
    .gelu = gelu,
    .gelu_backward = gelu_backward,
    .swiglu = swiglu,
    .swiglu_backward = swiglu_backward,
    .softmax_part = softmax_part,
    .cross_entropy = cross_entropy,
    .token_score = token_score,
    .sum = sum,
    .squared_norm = squared_norm,
    .gradient_scale = gradient_scale,
    .adamw = adamw,
    .cast = cast,
    .add = add,
    .exponential = one_exponential,
};

}  // namespace trireme::cpu::TRIREME_CPU_LEVEL
