// SPDX-License-Identifier: Apache-2.0
// RMSNorm over the last dim (Zhang and Sennrich 2019).
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/norm.cuh"
#include "kernels/cuda/norm_backward.cuh"

namespace trireme::cuda {

void rms_norm(CudaStream& stream, const RmsNorm& op) {
  const std::int64_t width = op.x.shape[1];
  assert(op.y.shape == op.x.shape && op.weight.elements() == width && op.rstd.elements() == op.x.shape[0]);
  with_dtype(op.x.dtype, [&](auto value) {
    using T = decltype(value);
    launch_norm_forward<false>(stream, NormForward<T>{.y = data_of<T>(op.y),
                                                      .mean = nullptr,
                                                      .rstd = data_of<float>(op.rstd),
                                                      .x = data_of<const T>(op.x),
                                                      .weight = data_of<const T>(op.weight),
                                                      .bias = nullptr,
                                                      .rows = op.x.shape[0],
                                                      .width = static_cast<int>(width),
                                                      .eps = op.eps});
  });
}

void rms_norm_backward(CudaStream& stream, const RmsNormBackward& op) {
  const std::int64_t width = op.x.shape[1];
  assert(op.dy.shape == op.x.shape && op.dx.shape == op.x.shape && op.weight.elements() == width);
  with_dtype(op.x.dtype, [&](auto value) {
    using T = decltype(value);
    launch_norm_backward<false>(stream,
                                NormBackward<T>{.dx = data_of<T>(op.dx),
                                                .dy = data_of<const T>(op.dy),
                                                .x = data_of<const T>(op.x),
                                                .mean = nullptr,
                                                .rstd = data_of<const float>(op.rstd),
                                                .weight = data_of<const T>(op.weight),
                                                .parts = nullptr,
                                                .rows = op.x.shape[0],
                                                .width = static_cast<int>(width),
                                                .accumulate = op.accumulate},
                                data_of<float>(op.d_weight), nullptr);
  });
}

}  // namespace trireme::cuda
