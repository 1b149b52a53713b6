// SPDX-License-Identifier: Apache-2.0
// A reader over the fuzzer's bytes, and what must hold for every document and every account.
#pragma once

#include <cstddef>
#include <cstdint>

#include "data_pipeline/source/reader.h"

namespace trireme::fuzz {

/// Reads the bytes to the end as `kind`, with small limits so that small inputs reach them.
void read_whole(const std::uint8_t* data, std::size_t size, SourceKind kind);

}  // namespace trireme::fuzz
