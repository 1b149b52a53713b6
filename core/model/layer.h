// SPDX-License-Identifier: Apache-2.0
// What a layer is: it declares parameters, plans memory, and runs forward and backward by hand; there is no tape.
#pragma once

#include "core/base/batch.h"
#include "core/base/group.h"
#include "core/base/ops.h"
#include "core/base/params.h"
#include "core/base/plan.h"

namespace trireme {

/// The sizes that one pass works on.
struct PassShape {
  std::int64_t batch = 1;  // B
  std::int64_t time = 1;   // T
  Dtype dtype = Dtype::f32;
  bool document_mask = false;
  std::int64_t tensor = 1;  // ranks of the tensor axis
  std::int64_t rows() const { return batch * time; }
  /// Rows of the residual stream that this rank works on: norms and additions are split by rows over the tensor axis
  /// (sequence parallelism, Korthikanti et al. 2022).
  std::int64_t local_rows() const { return rows() / tensor; }
};

/// A batch in device memory. All [B, T] i32; document_start empty without a document mask.
struct DeviceBatch {
  Tensor tokens, targets, positions, document_start;
  DocumentLengths documents = {};  // of document_start
};

/// Everything a layer needs while it runs: operations, where they go, memory, the batch, and the tensor axis.
struct Pass {
  const Ops& ops;
  Stream& stream;
  const Plan& plan;
  DeviceBatch batch;
  Group& tensor_axis;
  Tensor cos_sin = {};  // [T, K] f32: rotary positions; empty for models with learned ones. The model fills it in.
};

/// A step from the residual stream x to the residual stream y, both [N / tensor, D] in the compute dtype.
class Layer {
 public:
  virtual ~Layer() = default;
  /// Declares parameters in the table, under the names that checkpoints use.
  virtual void params(ParamTable& table) = 0;
  /// Declares saved tensors and scratch, between plan.begin_block() and plan.end_block().
  virtual void plan(Plan& plan, const PassShape& shape) = 0;
  /// y = f(x). y may not be x's memory.
  virtual void forward(const Pass& pass, const Weights& weights, const Tensor& x, const Tensor& y) = 0;
  /// d becomes the gradient of x, given the gradient of y in it; gradients of weights are added to `gradients`. The
  /// saved tensors are those of the last forward of this layer.
  virtual void backward(const Pass& pass, const Weights& weights, const Weights& gradients, const Tensor& x,
                        const Tensor& d) = 0;
};

}  // namespace trireme
