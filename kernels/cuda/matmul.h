// SPDX-License-Identifier: Apache-2.0
// Matrix products by cuBLASLt, with an algorithm for each shape that is chosen once.
#pragma once

#include <cublasLt.h>

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "core/base/types.h"
#include "kernels/cuda/stream.h"

namespace trireme::cuda {

/// y [rows, columns] = a [rows, inner] * b [inner, columns] (+ bias) (+ residual), all row-major; a may be stored as
/// [inner, rows], b as [columns, inner]. Accumulates in fp32.
struct MatmulKey {
  std::int64_t rows, inner, columns;
  Dtype input, output;
  bool a_transposed = false, b_transposed = false;
  bool bias = false;             // of the output's dtype
  bool residual = false;         // of the output's dtype; may be y
  std::uint32_t alignment = 16;  // of the least aligned argument, in bytes, at most 256

  auto operator<=>(const MatmulKey&) const = default;
};
struct MatmulMemory {
  void* y = nullptr;
  const void* a = nullptr;
  const void* b = nullptr;
  const void* bias = nullptr;
  const void* residual = nullptr;
};

class Matmul {
 public:
  Matmul();
  ~Matmul();
  Matmul(const Matmul&) = delete;
  Matmul& operator=(const Matmul&) = delete;

  /// In stream order. The key's alignment is found from the memory.
  void run(CudaStream& stream, MatmulKey key, const MatmulMemory& memory);

 private:
  struct Plan;
  Plan& plan(const MatmulKey& key);

  cublasLtHandle_t handle_ = nullptr;
  std::mutex mutex_;
  std::map<MatmulKey, std::unique_ptr<Plan>> plans_;
};

}  // namespace trireme::cuda
