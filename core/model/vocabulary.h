// SPDX-License-Identifier: Apache-2.0
// How the rows of the token table, which are the columns of the logits, are dealt out.
#pragma once

#include "core/base/params.h"
#include "core/model/architecture.h"

namespace trireme {

/// Padded to a multiple of 64 where there are many: the fast matrix units read rows from 128 bytes on, and GPT-2's
/// 50257 columns would otherwise begin anywhere.
inline Section vocabulary_section(const Architecture& a) {
  constexpr std::int64_t kMany = 1024;
  return {.size = a.vocabulary, .multiple = a.vocabulary >= kMany ? 64 : 1};
}

}  // namespace trireme
