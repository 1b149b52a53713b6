// SPDX-License-Identifier: Apache-2.0
// How much memory of the host this process may still take.
#pragma once

#include <cstddef>
#include <string>

namespace trireme::cpu {

/// Bytes that the system could hand out, and at most what the limits of this process's control groups (version 1 or 2)
/// leave, cached files counting as free; the largest number where nothing says. `root` is where /proc and /sys are.
std::size_t available_memory(const std::string& root = "");

}  // namespace trireme::cpu
