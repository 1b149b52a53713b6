// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/linear.h"

#include <cassert>

namespace trireme::cpu {
namespace {

Addend addend(const Tensor& tensor) {
  if (!tensor) return Addend::none;
  assert(tensor.dtype == Dtype::f32 || tensor.dtype == Dtype::bf16);
  return tensor.dtype == Dtype::bf16 ? Addend::bf16 : Addend::f32;
}

}  // namespace

void linear(Matmul& matmul, const Linear& op, int threads) {
  const std::int64_t rows = op.x.shape[0];
  const std::int64_t inner = op.x.shape[1];
  const std::int64_t columns = op.weight.shape[0];
  assert(op.weight.shape == (Shape{columns, inner}) && op.y.shape == (Shape{rows, columns}));
  assert(op.weight.dtype == op.x.dtype && (op.y.dtype == op.x.dtype || op.y.dtype == Dtype::f32));
  assert(!op.bias || op.bias.elements() == columns);
  assert(!op.residual || op.residual.shape == op.y.shape);
  if (rows == 0) return;
  const bool in_place = op.residual && op.residual.data == op.y.data;
  assert(!in_place || op.residual.dtype == op.y.dtype);
  matmul.run({.rows = rows,
              .inner = inner,
              .columns = columns,
              .input = op.x.dtype,
              .output = op.y.dtype,
              .bias = addend(op.bias),
              .residual = in_place ? Addend::none : addend(op.residual),
              .b_transposed = true,
              .accumulate = in_place,
              .threads = threads},
             {.y = op.y.data,
              .a = op.x.data,
              .b = op.weight.data,
              .bias = op.bias.data,
              .residual = in_place ? nullptr : op.residual.data});
}

void linear_backward_input(Matmul& matmul, const LinearBackwardInput& op, int threads) {
  const std::int64_t rows = op.dy.shape[0];
  const std::int64_t inner = op.dy.shape[1];
  const std::int64_t columns = op.weight.shape[1];
  assert(op.weight.shape == (Shape{inner, columns}) && op.dx.shape == (Shape{rows, columns}));
  assert(op.weight.dtype == op.dy.dtype);
  if (rows == 0) return;
  matmul.run({.rows = rows,
              .inner = inner,
              .columns = columns,
              .input = op.dy.dtype,
              .output = op.dx.dtype,
              .accumulate = op.accumulate,
              .threads = threads},
             {.y = op.dx.data, .a = op.dy.data, .b = op.weight.data});
}

void linear_backward_weight(Matmul& matmul, const KernelTable& kernels, const LinearBackwardWeight& op, int threads) {
  const std::int64_t rows = op.dy.shape[0];
  const std::int64_t outputs = op.dy.shape[1];
  const std::int64_t inputs = op.x.shape[1];
  assert(op.x.shape[0] == rows && op.x.dtype == op.dy.dtype);
  assert(op.d_weight.shape == (Shape{outputs, inputs}) && op.d_weight.dtype == Dtype::f32);
  if (rows == 0) return;
  if (op.d_bias) kernels.column_sum({.out = op.d_bias, .x = op.dy}, threads);
  matmul.run({.rows = outputs,
              .inner = rows,
              .columns = inputs,
              .input = op.dy.dtype,
              .output = Dtype::f32,
              .a_transposed = true,
              .accumulate = true,
              .threads = threads},
             {.y = op.d_weight.data, .a = op.dy.data, .b = op.x.data});
}

}  // namespace trireme::cpu
