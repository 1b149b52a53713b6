// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/check.h"

#include <fmt/format.h>

#include "core/base/error.h"

namespace trireme::cuda {

void check(cudaError_t code, const char* what, std::source_location where) {
  if (code == cudaSuccess) return;
  throw Error(fmt::format("CUDA: {}: {} ({})", what, cudaGetErrorString(code), cudaGetErrorName(code)),
              ExitCode::failed, where);
}

void check(cublasStatus_t code, const char* what, std::source_location where) {
  if (code == CUBLAS_STATUS_SUCCESS) return;
  throw Error(fmt::format("cuBLASLt: {}: {}", what, cublasLtGetStatusString(code)), ExitCode::failed, where);
}

void check_launch(const char* kernel, std::source_location where) { check(cudaGetLastError(), kernel, where); }

}  // namespace trireme::cuda
