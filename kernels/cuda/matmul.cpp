// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/matmul.h"

#include <algorithm>
#include <bit>
#include <initializer_list>

#include "core/base/error.h"
#include "kernels/cuda/check.h"

namespace trireme::cuda {
namespace {

constexpr std::size_t kWorkspace = std::size_t{32} << 20U;  // what cuBLAS recommends for Hopper

cudaDataType_t type_of(Dtype dtype) { return dtype == Dtype::bf16 ? CUDA_R_16BF : CUDA_R_32F; }

std::uint32_t alignment_of(std::initializer_list<const void*> pointers) {
  std::uint32_t least = 256;
  for (const void* pointer : pointers) {
    const auto at = std::bit_cast<std::uintptr_t>(pointer);
    if (at != 0) least = std::min(least, std::uint32_t{1} << std::min(std::countr_zero(at), 8));
  }
  return least;
}

template <class T>
void set(cublasLtMatmulDesc_t description, cublasLtMatmulDescAttributes_t attribute, const T& value) {
  check(cublasLtMatmulDescSetAttribute(description, attribute, &value, sizeof value), "describing a product");
}
template <class T>
void set(cublasLtMatmulPreference_t preference, cublasLtMatmulPreferenceAttributes_t attribute, const T& value) {
  check(cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof value), "describing a product");
}

class Layout {
 public:
  /// Of a column-major matrix, whose columns lie `leading` elements apart.
  Layout(Dtype dtype, std::int64_t rows, std::int64_t columns, std::int64_t leading) {
    check(cublasLtMatrixLayoutCreate(&layout_, type_of(dtype), static_cast<std::uint64_t>(rows),
                                     static_cast<std::uint64_t>(columns), leading),
          "describing a matrix");
  }
  Layout(const Layout&) = delete;
  Layout& operator=(const Layout&) = delete;
  ~Layout() { cublasLtMatrixLayoutDestroy(layout_); }
  cublasLtMatrixLayout_t get() const { return layout_; }

 private:
  cublasLtMatrixLayout_t layout_ = nullptr;
};

}  // namespace

/// cuBLASLt is column-major: it computes y^T = b^T a^T, so that its first matrix is our b and its second our a. Bias
/// then runs down its columns, as its epilogue wants it.
struct Matmul::Plan {
  explicit Plan(const MatmulKey& key)
      : first(key.input, key.b_transposed ? key.inner : key.columns, key.b_transposed ? key.columns : key.inner,
              key.b_transposed ? key.inner : key.columns),
        second(key.input, key.a_transposed ? key.rows : key.inner, key.a_transposed ? key.inner : key.rows,
               key.a_transposed ? key.rows : key.inner),
        out(key.output, key.columns, key.rows, key.columns) {
    check(cublasLtMatmulDescCreate(&description, CUBLAS_COMPUTE_32F, CUDA_R_32F), "describing a product");
    set(description, CUBLASLT_MATMUL_DESC_TRANSA, key.b_transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(description, CUBLASLT_MATMUL_DESC_TRANSB, key.a_transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
    if (key.bias) set(description, CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
  }
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  ~Plan() { cublasLtMatmulDescDestroy(description); }

  void choose(cublasLtHandle_t handle, const MatmulKey& key) {
    cublasLtMatmulPreference_t preference = nullptr;
    check(cublasLtMatmulPreferenceCreate(&preference), "describing a product");
    set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kWorkspace);
    // Parts of a long inner dim are added in fp32 and in one order, never in the output's dtype.
    const std::uint32_t reduction = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    set(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, reduction);
    for (const auto attribute :
         {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
          CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
      set(preference, attribute, key.alignment);
    }
    cublasLtMatmulHeuristicResult_t result{};
    int found = 0;
    const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(handle, description, first.get(), second.get(),
                                                                 out.get(), out.get(), preference, 1, &result, &found);
    cublasLtMatmulPreferenceDestroy(preference);
    trireme::check(status == CUBLAS_STATUS_SUCCESS && found > 0,
                   "cuBLASLt has no algorithm for [{}, {}] x [{}, {}], {} to {}: {}", key.rows, key.inner, key.inner,
                   key.columns, name(key.input), name(key.output), cublasLtGetStatusString(status));
    algorithm = result.algo;
  }

  Layout first, second, out;
  cublasLtMatmulDesc_t description = nullptr;
  cublasLtMatmulAlgo_t algorithm{};
};

Matmul::Matmul() { check(cublasLtCreate(&handle_), "cannot start"); }

Matmul::~Matmul() {
  plans_.clear();
  cublasLtDestroy(handle_);
}

Matmul::Plan& Matmul::plan(const MatmulKey& key) {
  auto& plan = plans_[key];
  if (plan == nullptr) {
    auto fresh = std::make_unique<Plan>(key);
    fresh->choose(handle_, key);
    plan = std::move(fresh);
  }
  return *plan;
}

void Matmul::run(CudaStream& stream, MatmulKey key, const MatmulMemory& memory) {
  key.alignment = alignment_of({memory.y, memory.a, memory.b, memory.bias, memory.residual});
  const float one = 1.0F;
  const float beta = key.residual ? 1.0F : 0.0F;
  void* workspace = stream.scratch(kWorkspace);
  const std::lock_guard lock(mutex_);
  Plan& chosen = plan(key);
  if (key.bias) set(chosen.description, CUBLASLT_MATMUL_DESC_BIAS_POINTER, memory.bias);
  const void* addend = key.residual ? memory.residual : memory.y;
  check(cublasLtMatmul(handle_, chosen.description, &one, memory.b, chosen.first.get(), memory.a, chosen.second.get(),
                       &beta, addend, chosen.out.get(), memory.y, chosen.out.get(), &chosen.algorithm, workspace,
                       kWorkspace, stream.handle()),
        "a matrix product failed");
}

}  // namespace trireme::cuda
