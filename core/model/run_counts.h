// SPDX-License-Identifier: Apache-2.0
// The conventions by which scaling laws count parameters and FLOPs: laws by different ones do not compare.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/model/architecture.h"

namespace trireme {

/// total: every parameter, a tied head once. non_embedding (Kaplan et al. 2020): without the tables of tokens and
/// positions and the head. chinchilla: as Hoffmann et al. 2022 print it for this shape (Table A9): matrices only, one
/// table of tokens, and in every block a fifth matrix of attention, their relative positions'.
enum class ParameterCount { total, non_embedding, chinchilla };
inline constexpr std::string_view kParameterCounts[] = {"total", "non_embedding", "chinchilla"};

/// six_nd: 6 N D. appendix_f (Hoffmann et al. 2022): every product of the forward pass, the tables and attention's full
/// square included, three times.
enum class FlopCount { six_nd, appendix_f };
inline constexpr std::string_view kFlopCounts[] = {"6nd", "appendix_f"};

double parameters_by(ParameterCount count, const Architecture& a);

/// FLOPs of forward and backward of one sequence of `time` tokens, by Appendix F.
double appendix_f_flops(const Architecture& a, std::int64_t time);

/// FLOPs of training per token, by `count`; 6ND takes N as `parameters` counts it.
double flops_per_token(FlopCount count, ParameterCount parameters, const Architecture& a, std::int64_t time);

}  // namespace trireme
