// SPDX-License-Identifier: Apache-2.0
// Softmax cross-entropy over rows of logits, or over this rank's columns of them, its gradient in their place.
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/softmax_row.cuh"

namespace trireme::cuda {
namespace {

template <class T>
struct Loss {
  float* losses;
  T* logits;
  const std::int32_t* targets;
  const float* parts;
  int count;  // of parts
  std::int64_t rows;
  int width, vocabulary;
  std::int64_t first_column;
  float gradient_scale;
};

/// What the gradient of a row needs.
struct Slope {
  float high, factor, scale;
  int target;  // its column here, or negative
  int vocabulary;
};

/// Logits that lie at `at` and behind it become their gradient.
template <class T, int N>
__device__ inline void differentiate(float (&v)[N], int at, const Slope& slope) {
#pragma unroll
  for (int i = 0; i < N; ++i) v[i] = exponential<T>(v[i] - slope.high) * slope.factor;
  if (static_cast<unsigned>(slope.target - at) < static_cast<unsigned>(N)) {
#pragma unroll
    for (int i = 0; i < N; ++i) v[i] = at + i == slope.target ? v[i] - slope.scale : v[i];
  }
  if (at + N > slope.vocabulary) {
#pragma unroll
    for (int i = 0; i < N; ++i) v[i] = at + i < slope.vocabulary ? v[i] : 0.0F;
  }
}

template <class T>
__device__ inline void differentiate_one(T& x, int at, const Slope& slope) {
  float v[1] = {to_float(x)};
  differentiate<T>(v, at, slope);
  store(x, v[0]);
}

/// The whole row, of which `kept` has the first `room` pieces.
template <class T>
__device__ inline void differentiate_row(T* x, int width, const uint4* kept, int room, const Slope& slope) {
  constexpr int kAtOnce = 4;
  const RowCut<T> cut(x, width);
  auto* pieces = reinterpret_cast<uint4*>(x + cut.before);
  const int thread = static_cast<int>(threadIdx.x);
  const int step = static_cast<int>(blockDim.x);
  const auto put = [&](int at, const uint4& piece) {
    float v[kPiece<T>];
    unpack(v, piece);
    differentiate<T>(v, cut.before + at * kPiece<T>, slope);
    __stcs(pieces + at, pack(v));
  };
  // First what has to be read again: it was read last, and is likely to be in the cache still.
  for (int first = room + thread; first < cut.pieces; first += kAtOnce * step) {
    uint4 piece[kAtOnce];
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      if (first + i * step < cut.pieces) piece[i] = pieces[first + i * step];
    }
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      if (first + i * step < cut.pieces) put(first + i * step, piece[i]);
    }
  }
  const int held = min(room, cut.pieces);
#pragma unroll 2
  for (int at = thread; at < held; at += step) put(at, kept[at]);
  if (thread < cut.before) differentiate_one(x[thread], thread, slope);
  if (cut.after + thread < width) differentiate_one(x[cut.after + thread], cut.after + thread, slope);
}

template <class T>
__device__ inline void clear_row(T* x, int width) {
  const RowCut<T> cut(x, width);
  auto* pieces = reinterpret_cast<uint4*>(x + cut.before);
  const int thread = static_cast<int>(threadIdx.x);
  for (int at = thread; at < cut.pieces; at += static_cast<int>(blockDim.x)) __stcs(pieces + at, uint4{});
  if (thread < cut.before) store(x[thread], 0.0F);
  if (cut.after + thread < width) store(x[cut.after + thread], 0.0F);
}

/// A block for each row, which keeps `room` pieces of it in shared memory between the sum and the gradient.
template <class T>
__global__ void __launch_bounds__(kRowThreads) loss_kernel(const Loss<T> op, int room) {
  extern __shared__ uint4 kept[];
  const std::int64_t row = blockIdx.x;
  T* x = op.logits + row * op.width;
  const std::int32_t target = op.targets[row];
  if (target < 0) {
    if (threadIdx.x == 0) op.losses[row] = 0.0F;
    if (op.gradient_scale != 0.0F) clear_row(x, op.width);
    return;
  }
  float high = 0.0F;
  float total = 0.0F;
  float score = 0.0F;
  if (op.parts != nullptr) {
    const JoinedRow joined = join_parts(op.parts + row * 4, op.count, op.rows * 4);
    high = joined.high;
    total = joined.total;
    score = joined.target - high;
    room = 0;
  } else {
    const RowStats found = row_stats<false>(x, op.vocabulary, kept, room);
    high = found.high;
    total = found.total;
    // Nothing is written before the barrier below.
    score = to_float(x[target]) - high;
    room = min(room, RowCut<T>(x, op.vocabulary).pieces);
  }
  if (threadIdx.x == 0) op.losses[row] = logf(total) - score;
  if (op.gradient_scale == 0.0F) return;
  __syncthreads();
  const std::int64_t at = target - op.first_column;
  differentiate_row(x, op.width, kept, room,
                    Slope{.high = high,
                          .factor = op.gradient_scale / total,
                          .scale = op.gradient_scale,
                          .target = at >= 0 && at < op.vocabulary ? static_cast<int>(at) : -1,
                          .vocabulary = op.vocabulary});
}

/// Threads of a block, and the pieces of a row that its shared memory has room for.
struct Layout {
  int threads, room, most;  // most: bytes of shared memory that a block may ask for
};

/// As many blocks as keep whole rows share a multiprocessor, so that some read while others write; what does not fit is
/// to stay in the second-level cache until it is read again.
Layout layout_for(std::int64_t row_bytes) {
  constexpr std::int64_t kPieceBytes = 16;
  constexpr std::int64_t kReserved = 1024;                   // CUDA's own, for each block
  constexpr std::int64_t kStatic = 1024;                     // at least what the kernel has besides
  constexpr std::int64_t kCached = std::int64_t{40} << 10U;  // for a block, of two on a multiprocessor
  int device = 0;
  int most = 0;
  check(cudaGetDevice(&device), "cannot ask for the device");
  check(cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device), "cannot ask the device");
  const auto room = [&](std::int64_t blocks) { return (most + kReserved) / blocks - kReserved - kStatic; };
  const std::int64_t blocks = row_bytes <= room(4) ? 4 : row_bytes <= room(2) + kCached ? 2 : 1;
  return {.threads = static_cast<int>(kRowThreads / blocks),
          .room = static_cast<int>(std::min(row_bytes, room(blocks)) / kPieceBytes),
          .most = most - static_cast<int>(kStatic)};
}

template <class T>
void launch(CudaStream& stream, const Loss<T>& op) {
  Layout layout = layout_for(op.width * static_cast<std::int64_t>(sizeof(T)));
  // The same threads with a gradient and without: their number decides how sums are rounded.
  if (op.gradient_scale == 0.0F || op.parts != nullptr) layout.room = 0;
  const std::size_t bytes = static_cast<std::size_t>(layout.room) * sizeof(uint4);
  const auto set = [](cudaFuncAttribute attribute, int value) {
    check(cudaFuncSetAttribute(loss_kernel<T>, attribute, value), "cannot get shared memory for cross_entropy");
  };
  set(cudaFuncAttributeMaxDynamicSharedMemorySize, layout.most);
  set(cudaFuncAttributePreferredSharedMemoryCarveout, cudaSharedmemCarveoutMaxShared);
  loss_kernel<T><<<static_cast<unsigned>(op.rows), static_cast<unsigned>(layout.threads), bytes, stream.handle()>>>(
      op, layout.room);
}

}  // namespace

void cross_entropy(CudaStream& stream, const CrossEntropy& op) {
  const std::int64_t rows = op.logits.shape[0];
  assert(op.vocabulary >= 0 && op.vocabulary <= op.logits.shape[1] && op.losses.elements() == rows);
  assert(op.parts ? op.parts.shape[1] == rows && op.parts.shape[2] == 4 : op.vocabulary > 0 && op.first_column == 0);
  if (rows == 0) return;
  with_dtype(op.logits.dtype, [&](auto value) {
    using T = decltype(value);
    launch(stream, Loss<T>{.losses = data_of<float>(op.losses),
                           .logits = data_of<T>(op.logits),
                           .targets = data_of<const std::int32_t>(op.targets),
                           .parts = data_of<const float>(op.parts),
                           .count = op.parts ? static_cast<int>(op.parts.shape[0]) : 0,
                           .rows = rows,
                           .width = static_cast<int>(op.logits.shape[1]),
                           .vocabulary = static_cast<int>(op.vocabulary),
                           .first_column = op.first_column,
                           .gradient_scale = op.gradient_scale});
  });
  check_launch("cross_entropy");
}

}  // namespace trireme::cuda
