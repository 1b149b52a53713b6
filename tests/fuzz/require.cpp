// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/fuzz.h"

namespace trireme::fuzz {

void require(bool ok, const char* message) {
  if (!ok) {
    std::fprintf(stderr, "fuzz: %s\n", message);
    std::abort();
  }
}

}  // namespace trireme::fuzz
