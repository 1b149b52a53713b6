// SPDX-License-Identifier: Apache-2.0
// One table: every mesh of up to eight ranks trains as one rank does, and nothing that only moves memory or time
// (recomputation, the ZeRO stage, running it again) changes a bit.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "tests/parity/mesh_cases.h"
#include "tests/parity/mesh_rig.h"

namespace trireme {
namespace {

/// The run on one rank, in one pass per step, and the parameters before it.
struct Reference {
  MeshResult trained;
  WholeArrays initial;
};
const Reference& reference(const MeshCase& c) {
  static std::map<std::string, Reference> known;
  const Architecture& a = c.architecture;
  const auto key =
      fmt::format("{} {} {} {} {} {} {} {} {}", static_cast<int>(a.family), a.layers, a.heads, a.kv_heads, a.tied,
                  a.qkv_bias, c.train.sequence, c.train.global_batch, static_cast<int>(c.train.precision));
  const auto hit = known.find(key);
  if (hit != known.end()) return hit->second;
  MeshCase one = c;
  one.mesh = {};
  one.train.micro_batch = one.train.global_batch;
  MeshCase none = one;
  none.train.steps = 0;
  return known.emplace(key, Reference{train_on_mesh(one), train_on_mesh(none).parameters}).first->second;
}

MeshResult variant(MeshCase c, ZeroStage stage, ReduceEvery reduce, Recompute recompute) {
  c.sharding.stage = stage;
  c.sharding.reduce = reduce;
  c.train.recompute = recompute;
  return train_on_mesh(c);
}

/// The largest errors so far, as parts of their bounds: of the curve, and of the state after ten steps.
double worst_curve = 0.0;
StateErrors worst;

/// The curve and the state at its end against the run on one rank, where `longer` is what the bounds are computed for.
void expect_as_one_rank(const MeshResult& found, const MeshCase& c, const MeshCase& longer) {
  const Reference& one = reference(c);
  worst_curve = std::max(worst_curve, expect_near(found, one.trained, longer));
  const StateErrors errors = expect_near_states(found, one.trained, one.initial, longer);
  worst.movement = std::max(worst.movement, errors.movement);
  worst.first = std::max(worst.first, errors.first);
  worst.second = std::max(worst.second, errors.second);
}

void check_cell(const Cell& cell) {
  const MeshCase c = case_of(cell);
  SCOPED_TRACE(fmt::format("replica {} shard {} tensor {}, accumulation {}", cell.mesh.replica, cell.mesh.shard,
                           cell.mesh.tensor, cell.accumulation));
  const auto full = variant(c, ZeroStage::parameters, ReduceEvery::micro_step, Recompute::none);
  expect_as_one_rank(full, c, c);
  expect_same_bits(variant(c, ZeroStage::parameters, ReduceEvery::micro_step, Recompute::full), full, "recompute");
  if (cell.mesh.shard == 1) return;
  expect_same_bits(variant(c, ZeroStage::gradients, ReduceEvery::micro_step, Recompute::light), full, "stage 2");
  const auto once = variant(c, ZeroStage::optimizer, ReduceEvery::step, Recompute::none);
  expect_as_one_rank(once, c, c);
  expect_same_bits(variant(c, ZeroStage::gradients, ReduceEvery::step, Recompute::full), once, "stage 2, whole");
  expect_same_bits(variant(c, ZeroStage::parameters, ReduceEvery::step, Recompute::none), once, "stage 3, whole");
  if (cell.accumulation == 1) expect_same_bits(once, full, "stage 1");
}

using MeshParameters = std::tuple<Family, Dtype, std::int64_t, std::int64_t>;
class MeshParity : public testing::TestWithParam<MeshParameters> {};
std::string name_of(const testing::TestParamInfo<MeshParameters>& one) {
  const auto [family, precision, accumulation, ranks] = one.param;
  return fmt::format("{}_{}_accumulation{}_ranks{}", family == Family::gpt2 ? "gpt2" : "llama", name(precision),
                     accumulation, ranks);
}
INSTANTIATE_TEST_SUITE_P(Table, MeshParity,
                         testing::Combine(testing::Values(Family::gpt2, Family::llama),
                                          testing::Values(Dtype::f32, Dtype::bf16), testing::Values(1, 3),
                                          testing::Range<std::int64_t>(1, 9)),
                         name_of);

TEST_P(MeshParity, TrainsAsOneRank) {
  const auto [family, precision, accumulation, ranks] = GetParam();
  worst = {};
  worst_curve = 0.0;
  for (std::int64_t tensor = 1; tensor <= ranks; ++tensor) {
    for (std::int64_t shard = 1; shard * tensor <= ranks; ++shard) {
      if (ranks % (shard * tensor) != 0) continue;
      check_cell({{ranks / (shard * tensor), shard, tensor}, family, precision, accumulation});
      if (HasFatalFailure()) return;
    }
  }
  RecordProperty("curve", fmt::format("{:.3f}", worst_curve));
  RecordProperty("movement", fmt::format("{:.3f}", worst.movement));
  RecordProperty("first_moment", fmt::format("{:.3f}", worst.first));
  RecordProperty("second_moment", fmt::format("{:.3f}", worst.second));
}

// Parts and their sum are rounded once each on the way: less than a layer more on a path of bf16 tensors.
TEST(MeshRun, SumsInBf16AsOneRank) {
  for (const MeshShape mesh : {MeshShape{1, 2, 1}, MeshShape{2, 2, 1}, MeshShape{1, 4, 1}, MeshShape{1, 2, 2}}) {
    SCOPED_TRACE(fmt::format("replica {} shard {} tensor {}", mesh.replica, mesh.shard, mesh.tensor));
    MeshCase c = case_of({.mesh = mesh, .family = Family::llama, .precision = Dtype::bf16, .accumulation = 3});
    const auto exact = variant(c, ZeroStage::optimizer, ReduceEvery::step, Recompute::none);
    c.sharding.reduce_dtype = Dtype::bf16;
    MeshCase longer = c;
    ++longer.architecture.layers;
    const auto once = variant(c, ZeroStage::optimizer, ReduceEvery::step, Recompute::none);
    expect_as_one_rank(once, c, longer);
    EXPECT_EQ(once.metrics[0].loss, exact.metrics[0].loss) << "before the first update";
    EXPECT_NE(once.metrics[0].grad_norm, exact.metrics[0].grad_norm) << "nothing was rounded";
    expect_same_bits(variant(c, ZeroStage::parameters, ReduceEvery::step, Recompute::none), once, "stage 3, whole");
    const auto parts = variant(c, ZeroStage::parameters, ReduceEvery::micro_step, Recompute::none);
    expect_as_one_rank(parts, c, longer);
    expect_same_bits(variant(c, ZeroStage::gradients, ReduceEvery::micro_step, Recompute::full), parts, "stage 2");
  }
}

TEST(MeshRun, RunsAgainToTheSameBits) {
  const MeshCase c = case_of({.mesh = {2, 2, 2}, .family = Family::llama, .precision = Dtype::bf16, .accumulation = 3});
  expect_same_bits(train_on_mesh(c), train_on_mesh(c), "again");
}

}  // namespace
}  // namespace trireme
