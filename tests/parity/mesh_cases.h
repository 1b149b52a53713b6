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

/// The path_length of a rank: on the tensor axis five tensors of a block and three at the ends are rounded once more,
/// as parts, and on GPUs with each addition of a part to them.
double mesh_path(const MeshCase& c);

/// Ten steps of a model whose sizes nothing divides, but where an axis can go no further.
MeshCase case_of(const Cell& cell);

/// Loss and gradient norm of every step within the bound of the same sums in another order, and the same samples.
/// Returns the largest error as a part of the bound.
double expect_near(const MeshResult& found, const MeshResult& expected, const MeshCase& c);
/// Every tensor's movement from its initial values, and its moments, within the bound of the same sums in another
/// order, in norm. Returns the largest error of each as a part of its bound.
struct StateErrors {
  double movement = 0.0, first = 0.0, second = 0.0;
};
StateErrors expect_near_states(const MeshResult& found, const MeshResult& expected, const WholeArrays& initial,
                               const MeshCase& c);
/// Loss, gradient norm, parameters and moments to the last bit.
void expect_same_bits(const MeshResult& found, const MeshResult& expected, const char* what);

}  // namespace trireme
