// SPDX-License-Identifier: Apache-2.0
// The cases of the table of meshes, and how two runs of a case are compared.
#pragma once

#include "tests/parity/mesh_rig.h"

namespace trireme {

struct Cell {
  MeshShape mesh;
  Family family = Family::gpt2;
  Dtype precision = Dtype::f32;
  std::int64_t accumulation = 1;
};

/// Ten steps of a model whose sizes nothing divides, but where an axis can go no further.
MeshCase case_of(const Cell& cell);

/// Loss and gradient norm of every step within the reduction bound, and the same samples.
void expect_near(const MeshResult& found, const MeshResult& expected, const MeshCase& c);
/// Loss, gradient norm and parameters to the last bit.
void expect_same_bits(const MeshResult& found, const MeshResult& expected, const char* what);

}  // namespace trireme
