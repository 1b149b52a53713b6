// SPDX-License-Identifier: Apache-2.0
// A training run on a mesh of thread ranks: its curve and its parameters, for comparison with another mesh's.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/mesh.h"
#include "core/model/architecture.h"
#include "core/train/metrics.h"
#include "core/train/trainer.h"
#include "parallel/parallel.h"

namespace trireme {

struct MeshCase {
  Architecture architecture;
  MeshShape mesh;
  TrainerConfig train;
  ShardingOptions sharding = {};
  bool inline_streams = false;
  bool on_cpu = false;  // also where the tests run on GPUs
  NcclOptions nccl = {};
};

/// Arrays by the name of their parameter, whole, each element from the rank that owns it.
using WholeArrays = std::map<std::string, std::vector<float>>;

struct MeshResult {
  std::vector<StepMetrics> metrics;
  WholeArrays parameters, firsts, seconds;  // masters and both moments
};

/// What every mesh trains with.
OptimizerConfig mesh_optimizer();

/// Where a test puts itself between the groups, the store and who uses them.
struct MeshSeams {
  std::function<void(MeshGroups&)> groups;
  std::function<std::unique_ptr<ParamStore>(std::unique_ptr<ParamStore>)> store;
};

/// One rank of the mesh: everything that trains there.
struct MeshRank {
  MeshRank(World& world, const MeshCase& c, BatchSource& source, const MeshSeams& seams = {});

  MeshCase config;
  OptimizerConfig optimizer;
  std::unique_ptr<Device> device;
  std::unique_ptr<Ops> ops;
  std::unique_ptr<Stream> stream;
  MeshGroups mesh;
  ParamTable table;
  std::unique_ptr<ParamStore> store;
  std::unique_ptr<Trainer> trainer;

  std::vector<StepMetrics> run(std::int64_t steps);
};

/// The same in a world that is there already: metrics on every rank, parameters that this rank owns on each.
MeshResult train_in_world(World& world, const MeshCase& c);

/// Trains c.train.steps steps from the initial parameters on random tokens.
MeshResult train_on_mesh(const MeshCase& c);

/// Makes the arrays of all processes' ranks whole, on each of them.
void gather_over(World& world, MeshResult& result);

/// The batches that every mesh trains on: a function of the architecture and the sequence alone.
class FixedBatches;
FixedBatches mesh_batches(const MeshCase& c);

}  // namespace trireme
