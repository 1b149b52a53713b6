// SPDX-License-Identifier: Apache-2.0
// check() for the codes of CUDA's libraries. Light enough for device code: no formatting is included.
#pragma once

#include <cublasLt.h>
#include <cuda_runtime.h>

#include <source_location>

namespace trireme::cuda {

/// Throws Error with CUDA's own words and the place of the call.
void check(cudaError_t code, const char* what, std::source_location where = std::source_location::current());
void check(cublasStatus_t code, const char* what, std::source_location where = std::source_location::current());
/// Throws for a launch that was refused; call it after each <<<>>>.
void check_launch(const char* kernel, std::source_location where = std::source_location::current());

}  // namespace trireme::cuda
