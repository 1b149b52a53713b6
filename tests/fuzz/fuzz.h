// SPDX-License-Identifier: Apache-2.0
// What each fuzz target gives: libFuzzer's entry point, and seeds for the plain driver.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

/// Must return 0 for every input; a crash, a sanitizer's report or a failed check of its own is a finding.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

/// Small valid inputs from which mutations start.
std::vector<std::string> fuzz_seeds();

namespace trireme::fuzz {

/// Ends the process with `message` when a property does not hold.
void require(bool ok, const char* message);

}  // namespace trireme::fuzz
