// SPDX-License-Identifier: Apache-2.0
// Matrix products by cuBLASLt, with an algorithm for each shape that is chosen once: by its heuristic, or measured.
#pragma once

#include <cublasLt.h>

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "core/base/types.h"
#include "kernels/cuda/product_choices.h"
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
/// The key in one word: "1024,768,3072,bf16,bf16,bt,bias,align16".
std::string name(const MatmulKey& key);

struct MatmulMemory {
  void* y = nullptr;
  const void* a = nullptr;
  const void* b = nullptr;
  const void* bias = nullptr;
  const void* residual = nullptr;
};

class Matmul {
 public:
  /// Where `choices` keeps what is measured, large products are measured at their first use; all others, and all if it
  /// keeps nothing, have the algorithm that the heuristic puts first: either way the next start has the same bits.
  explicit Matmul(ProductChoices choices);
  ~Matmul();
  Matmul(const Matmul&) = delete;
  Matmul& operator=(const Matmul&) = delete;

  /// In stream order. The key's alignment is found from the memory. Waits for the stream where it has to measure.
  void run(CudaStream& stream, MatmulKey key, const MatmulMemory& memory);

 private:
  struct Plan;
  Plan& plan(CudaStream& stream, const MatmulKey& key, const MatmulMemory& memory);
  cublasLtMatmulAlgo_t choose(CudaStream& stream, const MatmulKey& key, const MatmulMemory& memory, Plan& plan);
  cublasStatus_t enqueue(CudaStream& stream, const MatmulKey& key, const MatmulMemory& memory, const Plan& plan,
                         const cublasLtMatmulAlgo_t& algorithm);

  cublasLtHandle_t handle_ = nullptr;
  std::mutex mutex_;
  ProductChoices choices_;
  std::map<MatmulKey, std::unique_ptr<Plan>> plans_;
};

}  // namespace trireme::cuda
