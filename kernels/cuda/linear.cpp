// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/linear.h"

#include <cassert>

#include "kernels/cuda/kernels.h"

namespace trireme::cuda {

void linear(Matmul& matmul, CudaStream& stream, const Linear& op) {
  const std::int64_t rows = op.x.shape[0];
  const std::int64_t inner = op.x.shape[1];
  const std::int64_t columns = op.weight.shape[0];
  assert(op.weight.shape == (Shape{columns, inner}) && op.y.shape == (Shape{rows, columns}));
  assert(op.weight.dtype == op.x.dtype && (op.y.dtype == op.x.dtype || op.y.dtype == Dtype::f32));
  assert(!op.bias || op.bias.elements() == columns);
  assert(!op.residual || op.residual.shape == op.y.shape);
  if (rows == 0) return;
  // cuBLASLt adds in the output's dtype; what comes in another is converted before, or added after.
  Tensor residual = op.residual;
  if (residual && residual.dtype != op.y.dtype) {
    cast(stream, {.y = op.y, .x = residual});
    residual = op.y;
  }
  const bool bias_within = op.bias && op.bias.dtype == op.y.dtype;
  matmul.run(stream,
             {.rows = rows,
              .inner = inner,
              .columns = columns,
              .input = op.x.dtype,
              .output = op.y.dtype,
              .b_transposed = true,
              .bias = bias_within,
              .residual = static_cast<bool>(residual)},
             {.y = op.y.data,
              .a = op.x.data,
              .b = op.weight.data,
              .bias = bias_within ? op.bias.data : nullptr,
              .residual = residual.data});
  if (op.bias && !bias_within) add_bias(stream, op.y, op.bias);
}

void linear_backward_input(Matmul& matmul, CudaStream& stream, const LinearBackwardInput& op) {
  const std::int64_t rows = op.dy.shape[0];
  const std::int64_t inner = op.dy.shape[1];
  const std::int64_t columns = op.weight.shape[1];
  assert(op.weight.shape == (Shape{inner, columns}) && op.dx.shape == (Shape{rows, columns}));
  assert(op.weight.dtype == op.dy.dtype);
  if (rows == 0) return;
  matmul.run(stream,
             {.rows = rows,
              .inner = inner,
              .columns = columns,
              .input = op.dy.dtype,
              .output = op.dx.dtype,
              .residual = op.accumulate},
             {.y = op.dx.data, .a = op.dy.data, .b = op.weight.data, .residual = op.accumulate ? op.dx.data : nullptr});
}

void linear_backward_weight(Matmul& matmul, CudaStream& stream, const LinearBackwardWeight& op) {
  const std::int64_t rows = op.dy.shape[0];
  const std::int64_t outputs = op.dy.shape[1];
  const std::int64_t inputs = op.x.shape[1];
  assert(op.x.shape[0] == rows && op.x.dtype == op.dy.dtype);
  assert(op.d_weight.shape == (Shape{outputs, inputs}) && op.d_weight.dtype == Dtype::f32);
  if (rows == 0) return;
  if (op.d_bias) column_sum(stream, op.d_bias, op.dy);
  matmul.run(stream,
             {.rows = outputs,
              .inner = rows,
              .columns = inputs,
              .input = op.dy.dtype,
              .output = Dtype::f32,
              .a_transposed = true,
              .residual = true},
             {.y = op.d_weight.data, .a = op.dy.data, .b = op.x.data, .residual = op.d_weight.data});
}

}  // namespace trireme::cuda
