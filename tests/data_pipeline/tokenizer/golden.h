// SPDX-License-Identifier: Apache-2.0
// Where the tokenizer tests find their golden files and the samples.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace trireme {

/// Path of a golden file (tests/golden/tokenizer_golden.py made it).
inline std::string golden(const std::string& name) { return TRIREME_SOURCE_DIR "/tests/golden/" + name; }

/// Path of a sample, or an empty string where there are no samples.
inline std::string sample(const std::string& name) {
  const char* folder = std::getenv("TRIREME_SAMPLES");
  const std::string path = (folder ? std::string(folder) : TRIREME_SOURCE_DIR "/../shared/samples") + "/" + name;
  return std::filesystem::exists(path) ? path : "";
}

}  // namespace trireme
