// SPDX-License-Identifier: Apache-2.0
// The world that a test executable under mpirun was started in.
#pragma once

#include "parallel/parallel.h"

namespace trireme {

World& test_world();

}  // namespace trireme
