// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/matmul.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <initializer_list>
#include <set>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "kernels/cuda/check.h"
#include "kernels/cuda/contest.h"
#include "kernels/scratch.h"

namespace trireme::cuda {
namespace {

constexpr std::size_t kWorkspace = kLeastScratch;
constexpr int kCandidates = 32;
constexpr double kWorthMeasuring = 1e9;  // FLOP: less takes a few microseconds whatever computes it

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

template <class T>
std::int64_t setting(const cublasLtMatmulAlgo_t& algorithm, cublasLtMatmulAlgoConfigAttributes_t attribute) {
  T value{};
  std::size_t written = 0;
  check(cublasLtMatmulAlgoConfigGetAttribute(&algorithm, attribute, &value, sizeof value, &written),
        "asking for an algorithm's settings");
  return static_cast<std::int64_t>(value);
}

AlgorithmSettings settings_of(const cublasLtMatmulAlgo_t& algorithm) {
  return {setting<std::int32_t>(algorithm, CUBLASLT_ALGO_CONFIG_ID),
          setting<std::uint32_t>(algorithm, CUBLASLT_ALGO_CONFIG_TILE_ID),
          setting<std::uint32_t>(algorithm, CUBLASLT_ALGO_CONFIG_STAGES_ID),
          setting<std::uint32_t>(algorithm, CUBLASLT_ALGO_CONFIG_SPLITK_NUM),
          setting<std::uint32_t>(algorithm, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME),
          setting<std::uint32_t>(algorithm, CUBLASLT_ALGO_CONFIG_CTA_SWIZZLING),
          setting<std::uint32_t>(algorithm, CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION),
          setting<std::uint16_t>(algorithm, CUBLASLT_ALGO_CONFIG_INNER_SHAPE_ID),
          setting<std::uint16_t>(algorithm, CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID)};
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

  /// Best first by the heuristic's guess; each with settings of its own.
  std::vector<cublasLtMatmulAlgo_t> candidates(cublasLtHandle_t handle, const MatmulKey& key, int most) const {
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
    std::vector<cublasLtMatmulHeuristicResult_t> results(static_cast<std::size_t>(most));
    int found = 0;
    const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
        handle, description, first.get(), second.get(), out.get(), out.get(), preference, most, results.data(), &found);
    cublasLtMatmulPreferenceDestroy(preference);
    trireme::check(status == CUBLAS_STATUS_SUCCESS && found > 0,
                   "cuBLASLt has no algorithm for [{}, {}] x [{}, {}], {} to {}: {}", key.rows, key.inner, key.inner,
                   key.columns, trireme::name(key.input), trireme::name(key.output), cublasLtGetStatusString(status));
    std::vector<cublasLtMatmulAlgo_t> algorithms;
    std::set<AlgorithmSettings> seen;
    for (int i = 0; i < found; ++i) {
      const auto& result = results[static_cast<std::size_t>(i)];
      if (result.state == CUBLAS_STATUS_SUCCESS && seen.insert(settings_of(result.algo)).second) {
        algorithms.push_back(result.algo);
      }
    }
    trireme::check(!algorithms.empty(), "cuBLASLt refuses its own algorithms for {}", name(key));
    return algorithms;
  }

  Layout first, second, out;
  cublasLtMatmulDesc_t description = nullptr;
  cublasLtMatmulAlgo_t algorithm{};
};

std::string name(const MatmulKey& key) {
  return fmt::format("{},{},{},{},{}{}{}{}{},align{}", key.rows, key.inner, key.columns, trireme::name(key.input),
                     trireme::name(key.output), key.a_transposed ? ",at" : "", key.b_transposed ? ",bt" : "",
                     key.bias ? ",bias" : "", key.residual ? ",residual" : "", key.alignment);
}

Matmul::Matmul(ProductChoices choices) : choices_(std::move(choices)) {
  check(cublasLtCreate(&handle_), "cannot start");
}

Matmul::~Matmul() {
  plans_.clear();
  cublasLtDestroy(handle_);
}

cublasStatus_t Matmul::enqueue(CudaStream& stream, const MatmulKey& key, const MatmulMemory& memory, const Plan& plan,
                               const cublasLtMatmulAlgo_t& algorithm) {
  const float one = 1.0F;
  const float beta = key.residual ? 1.0F : 0.0F;
  const void* addend = key.residual ? memory.residual : memory.y;
  void* workspace = stream.scratch(kWorkspace);
  return cublasLtMatmul(handle_, plan.description, &one, memory.b, plan.first.get(), memory.a, plan.second.get(), &beta,
                        addend, plan.out.get(), memory.y, plan.out.get(), &algorithm, workspace, kWorkspace,
                        stream.handle());
}

cublasLtMatmulAlgo_t Matmul::choose(CudaStream& stream, const MatmulKey& key, const MatmulMemory& memory, Plan& plan) {
  const double flops =
      2.0 * static_cast<double>(key.rows) * static_cast<double>(key.inner) * static_cast<double>(key.columns);
  if (!choices_.keeps() || flops < kWorthMeasuring) return plan.candidates(handle_, key, 1).front();
  const auto candidates = plan.candidates(handle_, key, kCandidates);
  const auto index_of = [&](const AlgorithmSettings& settings) {
    const auto hit = std::ranges::find(candidates, settings, settings_of);
    return static_cast<std::size_t>(hit - candidates.begin());
  };
  const auto known = choices_.find(name(key));
  if (known && index_of(*known) < candidates.size()) return candidates[index_of(*known)];
  // The product is about to be written to y, which may hold anything until then, unless it is what is added to.
  MatmulMemory measured = memory;
  Buffer instead;
  if (key.residual && memory.residual == memory.y) {
    const auto bytes = static_cast<std::size_t>(key.rows * key.columns) * size_of(key.output);
    try {
      instead = stream.device().allocate(bytes);
    } catch (const Error&) {
      return candidates.front();  // no room to measure in
    }
    measured.y = instead.data();
    measured.residual = instead.data();
  }
  const auto winner = fastest_of(stream, candidates.size(), [&](std::size_t i) {
    return enqueue(stream, key, measured, plan, candidates[i]) == CUBLAS_STATUS_SUCCESS;
  });
  trireme::check(winner.has_value(), "cuBLASLt runs none of its algorithms for {}", name(key));
  const auto kept = choices_.keep(name(key), settings_of(candidates[winner->index]), winner->seconds,
                                  [&](const AlgorithmSettings& s) { return index_of(s) < candidates.size(); });
  return kept ? candidates[index_of(*kept)] : candidates.front();
}

Matmul::Plan& Matmul::plan(CudaStream& stream, const MatmulKey& key, const MatmulMemory& memory) {
  auto& plan = plans_[key];
  if (plan == nullptr) {
    auto fresh = std::make_unique<Plan>(key);
    if (key.bias) set(fresh->description, CUBLASLT_MATMUL_DESC_BIAS_POINTER, memory.bias);
    fresh->algorithm = choose(stream, key, memory, *fresh);
    plan = std::move(fresh);
  }
  return *plan;
}

void Matmul::run(CudaStream& stream, MatmulKey key, const MatmulMemory& memory) {
  key.alignment = alignment_of({memory.y, memory.a, memory.b, memory.bias, memory.residual});
  const std::lock_guard lock(mutex_);
  Plan& chosen = plan(stream, key, memory);
  if (key.bias) set(chosen.description, CUBLASLT_MATMUL_DESC_BIAS_POINTER, memory.bias);
  check(enqueue(stream, key, memory, chosen, chosen.algorithm), "a matrix product failed");
}

}  // namespace trireme::cuda
