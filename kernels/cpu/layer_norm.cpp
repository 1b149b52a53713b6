// SPDX-License-Identifier: Apache-2.0
// LayerNorm over the last dim (Ba et al. 2016): two passes over a row that is in cache, for the variance's sake.
#include "kernels/cpu/column_sums.h"
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/level.h"

namespace trireme::cpu::TRIREME_CPU_LEVEL {

void layer_norm(const LayerNorm& op, int threads) {
  const std::int64_t rows = op.x.shape[0];
  const std::int64_t width = op.x.shape[1];
  assert(op.y.shape == op.x.shape && op.weight.elements() == width && op.bias.elements() == width);
  assert(op.mean.elements() == rows && op.rstd.elements() == rows);
  auto* means = data_of<float>(op.mean);
  auto* rstds = data_of<float>(op.rstd);
  with_dtype(op.x.dtype, [&](auto value) {
    using T = decltype(value);
    T* ys = data_of<T>(op.y);
    const T* xs = data_of<T>(op.x);
    const T* weight = data_of<T>(op.weight);
    const T* bias = data_of<T>(op.bias);
#pragma omp parallel for schedule(static) num_threads(threads) if (rows * width > 8192)
    for (std::int64_t row = 0; row < rows; ++row) {
      const T* x = xs + row * width;
      T* y = ys + row * width;
      float total = 0.0F;
#pragma omp simd reduction(+ : total)
      for (std::int64_t i = 0; i < width; ++i) total += to_float(x[i]);
      const float mean = total / static_cast<float>(width);
      float squares = 0.0F;
#pragma omp simd reduction(+ : squares)
      for (std::int64_t i = 0; i < width; ++i) {
        const float centred = to_float(x[i]) - mean;
        squares += centred * centred;
      }
      const float rstd = 1.0F / __builtin_sqrtf(squares / static_cast<float>(width) + op.eps);
      means[row] = mean;
      rstds[row] = rstd;
#pragma omp simd
      for (std::int64_t i = 0; i < width; ++i) {
        store(y[i], (to_float(x[i]) - mean) * rstd * to_float(weight[i]) + to_float(bias[i]));
      }
    }
  });
}

namespace {

template <class T>
void input_gradient(const LayerNormBackward& op, int threads) {
  const std::int64_t rows = op.x.shape[0];
  const std::int64_t width = op.x.shape[1];
  const auto* means = data_of<float>(op.mean);
  const auto* rstds = data_of<float>(op.rstd);
  const T* weight = data_of<T>(op.weight);
#pragma omp parallel for schedule(static) num_threads(threads) if (rows * width > 8192)
  for (std::int64_t row = 0; row < rows; ++row) {
    const T* x = data_of<T>(op.x) + row * width;
    const T* dy = data_of<T>(op.dy) + row * width;
    T* dx = data_of<T>(op.dx) + row * width;
    const float mean = means[row];
    const float rstd = rstds[row];
    float along_one = 0.0F;
    float along_x = 0.0F;
#pragma omp simd reduction(+ : along_one, along_x)
    for (std::int64_t i = 0; i < width; ++i) {
      const float g = to_float(dy[i]) * to_float(weight[i]);
      along_one += g;
      along_x += g * ((to_float(x[i]) - mean) * rstd);
    }
    along_one /= static_cast<float>(width);
    along_x /= static_cast<float>(width);
    if (op.accumulate) {  // NOLINT(bugprone-branch-clone): it does not look into OpenMP's loops
#pragma omp simd
      for (std::int64_t i = 0; i < width; ++i) {
        const float g = to_float(dy[i]) * to_float(weight[i]);
        const float d = (g - along_one - (to_float(x[i]) - mean) * rstd * along_x) * rstd;
        store(dx[i], to_float(dx[i]) + d);
      }
    } else {
#pragma omp simd
      for (std::int64_t i = 0; i < width; ++i) {
        const float g = to_float(dy[i]) * to_float(weight[i]);
        store(dx[i], (g - along_one - (to_float(x[i]) - mean) * rstd * along_x) * rstd);
      }
    }
  }
}

}  // namespace

void layer_norm_backward(const LayerNormBackward& op, int threads) {
  const std::int64_t rows = op.x.shape[0];
  const std::int64_t width = op.x.shape[1];
  assert(op.dy.shape == op.x.shape && op.dx.shape == op.x.shape && op.weight.elements() == width);
  assert(op.d_weight.elements() == width && op.d_bias.elements() == width);
  with_dtype(op.x.dtype, [&](auto value) {
    using T = decltype(value);
    // The parameters' gradients come first: dx may be dy's memory.
    const T* x = data_of<T>(op.x);
    const T* dy = data_of<T>(op.dy);
    const auto* mean = data_of<float>(op.mean);
    const auto* rstd = data_of<float>(op.rstd);
    float* const out[2] = {data_of<float>(op.d_weight), data_of<float>(op.d_bias)};
    add_column_sums(out, rows, width, threads,
                    [=](std::int64_t row, std::int64_t column, float(&part)[2][kColumnBlock], std::int64_t c) {
                      const float d = to_float(dy[row * width + column]);
                      part[0][c] += d * ((to_float(x[row * width + column]) - mean[row]) * rstd[row]);
                      part[1][c] += d;
                    });
    input_gradient<T>(op, threads);
  });
}

}  // namespace trireme::cpu::TRIREME_CPU_LEVEL
