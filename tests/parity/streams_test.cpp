// SPDX-License-Identifier: Apache-2.0
// Work, gathers and sums on streams of their own give the bits that they give one after another. Short, so that the
// thread sanitizer can watch: a missing event wait is a race there, even where the bits come out right.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/parity/mesh_cases.h"
#include "tests/parity/mesh_rig.h"

namespace trireme {
namespace {

class Streams : public testing::TestWithParam<Family> {};
INSTANTIATE_TEST_SUITE_P(Families, Streams, testing::Values(Family::gpt2, Family::llama),
                         [](const auto& one) { return one.param == Family::gpt2 ? "gpt2" : "llama"; });

TEST_P(Streams, ChangeNoBit) {
  // Every sum there is: three micro-steps over shards, replicas and the tensor axis.
  for (const MeshShape mesh : {MeshShape{1, 2, 2}, MeshShape{2, 2, 1}}) {
    for (const Dtype precision : {Dtype::f32, Dtype::bf16}) {
      MeshCase c = case_of({mesh, GetParam(), precision, /*accumulation=*/3});
      c.architecture.layers = 4;  // places are taken by one block after another
      c.train.steps = 3;
      c.sharding.reduce_dtype = precision;
      for (const ZeroStage stage : {ZeroStage::optimizer, ZeroStage::gradients, ZeroStage::parameters}) {
        for (const ReduceEvery reduce : {ReduceEvery::step, ReduceEvery::micro_step}) {
          c.sharding.stage = stage;
          c.sharding.reduce = reduce;
          c.train.recompute = stage == ZeroStage::gradients ? Recompute::full : Recompute::none;
          SCOPED_TRACE(fmt::format("{} x {} x {}, {}, stage {}, reduced every {}", mesh.replica, mesh.shard,
                                   mesh.tensor, name(precision), static_cast<int>(stage),
                                   reduce == ReduceEvery::step ? "step" : "micro-step"));
          c.inline_streams = true;
          const MeshResult in_a_row = train_on_mesh(c);
          c.inline_streams = false;
          expect_same_bits(train_on_mesh(c), in_a_row, "streams");
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

}  // namespace
}  // namespace trireme
