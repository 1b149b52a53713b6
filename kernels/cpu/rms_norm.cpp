// SPDX-License-Identifier: Apache-2.0
// RMSNorm over the last dim (Zhang and Sennrich 2019).
#include "kernels/cpu/column_sums.h"
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/level.h"

namespace trireme::cpu::TRIREME_CPU_LEVEL {

void rms_norm(const RmsNorm& op, int threads) {
  const std::int64_t rows = op.x.shape[0];
  const std::int64_t width = op.x.shape[1];
  assert(op.y.shape == op.x.shape && op.weight.elements() == width && op.rstd.elements() == rows);
  auto* rstds = data_of<float>(op.rstd);
  with_dtype(op.x.dtype, [&](auto value) {
    using T = decltype(value);
    T* ys = data_of<T>(op.y);
    const T* xs = data_of<T>(op.x);
    const T* weight = data_of<T>(op.weight);
#pragma omp parallel for schedule(static) num_threads(threads) if (rows * width > 8192)
    for (std::int64_t row = 0; row < rows; ++row) {
      const T* x = xs + row * width;
      T* y = ys + row * width;
      float squares = 0.0F;
#pragma omp simd reduction(+ : squares)
      for (std::int64_t i = 0; i < width; ++i) squares += to_float(x[i]) * to_float(x[i]);
      const float rstd = 1.0F / __builtin_sqrtf(squares / static_cast<float>(width) + op.eps);
      rstds[row] = rstd;
#pragma omp simd
      for (std::int64_t i = 0; i < width; ++i) store(y[i], to_float(x[i]) * rstd * to_float(weight[i]));
    }
  });
}

namespace {

template <class T>
void input_gradient(const RmsNormBackward& op, int threads) {
  const std::int64_t rows = op.x.shape[0];
  const std::int64_t width = op.x.shape[1];
  const auto* rstds = data_of<float>(op.rstd);
  const T* weight = data_of<T>(op.weight);
#pragma omp parallel for schedule(static) num_threads(threads) if (rows * width > 8192)
  for (std::int64_t row = 0; row < rows; ++row) {
    const T* x = data_of<T>(op.x) + row * width;
    const T* dy = data_of<T>(op.dy) + row * width;
    T* dx = data_of<T>(op.dx) + row * width;
    const float rstd = rstds[row];
    float along_x = 0.0F;
#pragma omp simd reduction(+ : along_x)
    for (std::int64_t i = 0; i < width; ++i) {
      along_x += to_float(dy[i]) * to_float(weight[i]) * (to_float(x[i]) * rstd);
    }
    along_x /= static_cast<float>(width);
    if (op.accumulate) {  // NOLINT(bugprone-branch-clone): it does not look into OpenMP's loops
#pragma omp simd
      for (std::int64_t i = 0; i < width; ++i) {
        const float d = (to_float(dy[i]) * to_float(weight[i]) - to_float(x[i]) * rstd * along_x) * rstd;
        store(dx[i], to_float(dx[i]) + d);
      }
    } else {
#pragma omp simd
      for (std::int64_t i = 0; i < width; ++i) {
        store(dx[i], (to_float(dy[i]) * to_float(weight[i]) - to_float(x[i]) * rstd * along_x) * rstd);
      }
    }
  }
}

}  // namespace

void rms_norm_backward(const RmsNormBackward& op, int threads) {
  const std::int64_t rows = op.x.shape[0];
  const std::int64_t width = op.x.shape[1];
  assert(op.dy.shape == op.x.shape && op.dx.shape == op.x.shape && op.weight.elements() == width);
  assert(op.d_weight.elements() == width && op.rstd.elements() == rows);
  with_dtype(op.x.dtype, [&](auto value) {
    using T = decltype(value);
    // The parameters' gradients come first: dx may be dy's memory.
    const T* x = data_of<T>(op.x);
    const T* dy = data_of<T>(op.dy);
    const auto* rstd = data_of<float>(op.rstd);
    float* const out[1] = {data_of<float>(op.d_weight)};
    add_column_sums(out, rows, width, threads,
                    [=](std::int64_t row, std::int64_t column, float(&part)[1][kColumnBlock], std::int64_t c) {
                      const std::int64_t at = row * width + column;
                      part[0][c] += to_float(dy[at]) * (to_float(x[at]) * rstd[row]);
                    });
    input_gradient<T>(op, threads);
  });
}

}  // namespace trireme::cpu::TRIREME_CPU_LEVEL
