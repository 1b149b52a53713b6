// SPDX-License-Identifier: Apache-2.0
// Pages as records of a WET file, each in a gzip member of its own, damaged where their kind says so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "data_pipeline/synth/pages.h"

namespace trireme::synth {

/// The `warcinfo` record that opens a file, as a gzip member.
std::string wet_opening(std::uint64_t seed, std::string_view file);

/// The `conversion` record of page number `index`, as a gzip member; half of one for PageKind::truncated_member.
std::string wet_record(std::uint64_t seed, std::size_t index, const Page& page);

}  // namespace trireme::synth
