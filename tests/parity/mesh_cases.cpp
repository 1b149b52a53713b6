// SPDX-License-Identifier: Apache-2.0
#include "tests/parity/mesh_cases.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/parity/bounds.h"

namespace trireme {
namespace {

constexpr std::int64_t kSteps = 10;

// Sizes that nothing divides, but where an axis can go no further: heads fewer than ranks must be copied in whole.
Architecture architecture_for(Family family, const MeshShape& mesh) {
  const std::int64_t t = mesh.tensor;
  Architecture a{.family = family,
                 .vocabulary = 53,
                 .context = 16,
                 .layers = mesh.ranks() == 6 ? 1 : 2,
                 .width = 20,
                 .heads = 0,
                 .kv_heads = 0,
                 .head_size = 4,
                 .feed_forward = 26,
                 .tied = true,
                 .qkv_bias = true};
  if (family == Family::gpt2) {
    a.heads = a.kv_heads = t <= 6 ? 6 : 9;
    return a;
  }
  const bool copies = t == 1 || t == 2 || t == 4 || t == 8;  // two key/value heads, then two or four ranks to each
  a.heads = copies ? 8 : 12;
  a.kv_heads = copies ? 2 : 6;
  if (t == 7) a.heads = a.kv_heads = 8;
  a.tied = mesh.shard != 3;
  a.qkv_bias = mesh.replica == 2;
  return a;
}

}  // namespace

MeshCase case_of(const Cell& cell) {
  const std::int64_t data = cell.mesh.data();
  MeshCase c{.architecture = architecture_for(cell.family, cell.mesh), .mesh = cell.mesh, .train = {}};
  c.train.steps = kSteps;
  c.train.sequence = cell.mesh.tensor == 5 ? 10 : cell.mesh.tensor == 7 ? 14 : cell.mesh.tensor == 8 ? 16 : 12;
  c.train.global_batch = 24 % data == 0 ? 24 : 3 * data;
  c.train.micro_batch = c.train.global_batch / (data * cell.accumulation);
  c.train.seed = 7;
  c.train.head_rows = 7;
  c.train.precision = cell.precision;
  return c;
}

/// Sums of the same terms in another order. On the tensor axis five tensors a block and three at the ends are rounded
/// once more, as parts; Adam keeps relative errors, and ten steps add up.
void expect_near(const MeshResult& found, const MeshResult& expected, const MeshCase& c) {
  ASSERT_EQ(found.metrics.size(), static_cast<std::size_t>(kSteps));
  const double path = path_length(c.architecture);
  const double tensor =
      c.mesh.tensor > 1 ? (path + 5.0 * static_cast<double>(c.architecture.layers) + 3.0) / path : 1.0;
  const double bound =
      tensor * relative_bound(c.architecture, c.train.precision, c.train.global_batch * c.train.sequence, 2);
  for (std::size_t i = 0; i < found.metrics.size(); ++i) {
    const StepMetrics& f = found.metrics[i];
    const StepMetrics& e = expected.metrics[i];
    EXPECT_EQ(f.token_hash, e.token_hash);
    EXPECT_EQ(f.tokens, e.tokens);
    const double grown = bound * static_cast<double>(i + 1);
    EXPECT_NEAR(f.loss, e.loss, grown * e.loss) << "step " << i + 1;
    EXPECT_NEAR(f.grad_norm, e.grad_norm, grown * e.grad_norm) << "step " << i + 1;
  }
}

void expect_same_bits(const MeshResult& found, const MeshResult& expected, const char* what) {
  ASSERT_EQ(found.metrics.size(), expected.metrics.size());
  for (std::size_t i = 0; i < found.metrics.size(); ++i) {
    EXPECT_EQ(found.metrics[i].loss, expected.metrics[i].loss) << what << ", step " << i + 1;
    EXPECT_EQ(found.metrics[i].grad_norm, expected.metrics[i].grad_norm) << what << ", step " << i + 1;
  }
  for (const auto& [name, values] : expected.parameters) {
    const auto& other = found.parameters.at(name);
    ASSERT_EQ(other.size(), values.size());
    EXPECT_EQ(std::memcmp(other.data(), values.data(), values.size() * sizeof(float)), 0) << what << ": " << name;
  }
}

}  // namespace trireme
