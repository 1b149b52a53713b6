// SPDX-License-Identifier: Apache-2.0
// Conversions between dtypes.
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/kernels.h"

namespace trireme::cuda {
namespace {

struct Same {
  __device__ float operator()(float x, float) const { return x; }
};

}  // namespace

void cast(CudaStream& stream, const Cast& op) {
  assert(op.x.elements() == op.y.elements());
  with_dtype(op.y.dtype, [&](auto to) {
    with_dtype(op.x.dtype, [&](auto from) {
      using To = decltype(to);
      using From = decltype(from);
      map(stream, data_of<To>(op.y), data_of<const From>(op.x), static_cast<const From*>(nullptr), op.x.elements(),
          Same{});
    });
  });
}

}  // namespace trireme::cuda
