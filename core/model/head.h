// SPDX-License-Identifier: Apache-2.0
// The last room: norm, logits, loss and its gradient together, a chunk of rows at a time.
#pragma once

#include <cstdint>
#include <functional>

#include "core/model/architecture.h"
#include "core/model/layer.h"
#include "core/model/norm.h"

namespace trireme {

/// Logits of only `chunk_rows` rows exist at a time. Nothing of the head is saved: backward starts here.
/// In training logits are in the compute dtype, and the gradient takes their place; without gradient they are fp32.
/// Over a tensor axis each rank has the logits of its part of the vocabulary, and only four numbers a row travel. N
/// rows in all, n = N / tensor of the residual stream.
class Head {
 public:
  Head(const Architecture& a, int block, std::int64_t chunk_rows);

  /// `tied` is the token table, used when the architecture ties the head to it.
  void params(ParamTable& table, ParamId tied);
  void plan(Plan& plan, const PassShape& shape);

  /// What the head reads: its own block's tensors, and those of the block that holds the output matrix.
  struct Tensors {
    Weights own;
    Weights matrix;
  };
  /// losses [N] f32 are written; d [n, D] becomes gradient_scale times the gradient of x [n, D]; gradients are added
  /// to.
  void loss_and_gradient(const Pass& pass, const Tensors& weights, const Tensors& gradients, const Tensor& x,
                         const Tensor& d, const Tensor& losses, float gradient_scale) const;
  /// losses [N] f32 are written.
  void losses(const Pass& pass, const Tensors& weights, const Tensor& x, const Tensor& losses) const;
  /// Log-likelihood of the targets [N] f32 and the best tokens [N] i32.
  void score(const Pass& pass, const Tensors& weights, const Tensor& x, const Tensor& log_prob,
             const Tensor& best) const;
  /// out [m, V] f32: logits of rows [first_row, first_row + m), on a tensor axis of one rank.
  void logits(const Pass& pass, const Tensors& weights, const Tensor& x, std::int64_t first_row,
              const Tensor& out) const;

 private:
  /// normed [N, D], all rows on every rank of the tensor axis, from x.
  Tensor normed(const Pass& pass, const Weights& weights, const Tensor& x) const;
  /// What every rank's part of the logits tells about these rows, [tensor, rows, 4]; empty on an axis of one rank.
  Tensor gathered_parts(const Pass& pass, const Tensor& logits, const Tensor& targets) const;
  /// This rank's columns: the first one's token, and how many are no padding.
  struct Columns {
    std::int64_t first = 0;
    std::int64_t real = 0;
  };
  Columns columns(const Pass& pass) const;

  /// Runs body(first row, rows, their fp32 logits) for one chunk after another.
  using ChunkBody = std::function<void(std::int64_t first, std::int64_t count, const Tensor& logits)>;
  void for_logits(const Pass& pass, const Tensors& weights, const Tensor& x, const ChunkBody& body) const;

  Architecture a_;
  int block_;
  std::int64_t chunk_rows_;
  Norm norm_;
  ParamId matrix_;
  Slot normed_, logits_, parts_;
};

}  // namespace trireme
