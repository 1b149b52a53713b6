// SPDX-License-Identifier: Apache-2.0
// Matrix products through oneDNN: a primitive for each shape, made once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/base/types.h"

namespace trireme::cpu {

enum class Addend : std::uint8_t { none, f32, bf16 };

/// What oneDNN makes a primitive for: y [rows, columns] = a * b (+ bias) (+ residual) (+ y).
struct ProductShape {
  std::int64_t rows = 0;
  std::int64_t inner = 0;
  std::int64_t columns = 0;
  Dtype input = Dtype::f32;
  Dtype output = Dtype::f32;
  Addend bias = Addend::none;      // [columns]
  Addend residual = Addend::none;  // [rows, columns]
  bool a_transposed = false;       // a is stored [inner, rows]
  bool b_transposed = false;       // b is stored [columns, inner]
  bool accumulate = false;         // y is added to instead of written
  int threads = 1;

  bool operator==(const ProductShape&) const = default;
};

struct ProductMemory {
  void* y = nullptr;
  const void* a = nullptr;
  const void* b = nullptr;
  const void* bias = nullptr;
  const void* residual = nullptr;
};

/// Runs matrix products; any thread may call. Accumulation is in fp32 whatever the dtypes.
class Matmul {
 public:
  Matmul();
  ~Matmul();
  Matmul(const Matmul&) = delete;
  Matmul& operator=(const Matmul&) = delete;

  void run(const ProductShape& shape, const ProductMemory& memory);

 private:
  struct Cache;
  std::unique_ptr<Cache> cache_;
};

/// FLOP/s of the best of a few products of 1024 x 1024 x 1024.
double measure_matmul_flops(Dtype dtype, int threads);

}  // namespace trireme::cpu
