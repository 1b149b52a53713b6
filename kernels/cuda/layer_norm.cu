// SPDX-License-Identifier: Apache-2.0
// LayerNorm over the last dim (Ba et al. 2016).
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/norm.cuh"
#include "kernels/cuda/norm_backward.cuh"

namespace trireme::cuda {

void layer_norm(CudaStream& stream, const LayerNorm& op) {
  const std::int64_t width = op.x.shape[1];
  assert(op.y.shape == op.x.shape && op.weight.elements() == width && op.bias.elements() == width);
  with_dtype(op.x.dtype, [&](auto value) {
    using T = decltype(value);
    launch_norm_forward<true>(stream, NormForward<T>{.y = data_of<T>(op.y),
                                                     .mean = data_of<float>(op.mean),
                                                     .rstd = data_of<float>(op.rstd),
                                                     .x = data_of<const T>(op.x),
                                                     .weight = data_of<const T>(op.weight),
                                                     .bias = data_of<const T>(op.bias),
                                                     .rows = op.x.shape[0],
                                                     .width = static_cast<int>(width),
                                                     .eps = op.eps});
  });
}

void layer_norm_backward(CudaStream& stream, const LayerNormBackward& op) {
  const std::int64_t width = op.x.shape[1];
  assert(op.dy.shape == op.x.shape && op.dx.shape == op.x.shape && op.weight.elements() == width);
  with_dtype(op.x.dtype, [&](auto value) {
    using T = decltype(value);
    launch_norm_backward<true>(stream,
                               NormBackward<T>{.dx = data_of<T>(op.dx),
                                               .dy = data_of<const T>(op.dy),
                                               .x = data_of<const T>(op.x),
                                               .mean = data_of<const float>(op.mean),
                                               .rstd = data_of<const float>(op.rstd),
                                               .weight = data_of<const T>(op.weight),
                                               .parts = nullptr,
                                               .rows = op.x.shape[0],
                                               .width = static_cast<int>(width),
                                               .accumulate = op.accumulate},
                               data_of<float>(op.d_weight), data_of<float>(op.d_bias));
  });
}

}  // namespace trireme::cuda
