// SPDX-License-Identifier: Apache-2.0
// The parallel wing's public header: who acts together, and where parameters live.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/group.h"
#include "core/base/mesh.h"
#include "core/base/ops.h"
#include "core/base/params.h"
#include "parallel/desk.h"
#include "parallel/dry_group.h"
#include "parallel/traffic.h"
#include "parallel/watchdog.h"

namespace trireme {

/// How parameters are gathered between GPUs. nccl: by kernels of NCCL. copy: by the GPUs' copy engines, which leave all
/// multiprocessors to the products, where the ranks of a group can map each other's memory, as those of one node
/// usually can; where not, by NCCL, which is said once. automatic: as nccl, until copies are measured to be faster.
enum class GatherRoad { automatic, copy, nccl };

/// What the groups of GPUs are told.
struct NcclOptions {
  /// Thread blocks, and with them multiprocessors, that a collective of the replica and shard axes takes from the
  /// compute that it overlaps with; 0: as many as NCCL thinks best for the collective alone.
  int channels = 0;
  GatherRoad gather = GatherRoad::automatic;
};
/// Channels that a communicator of this axis is held to; 0: as many as NCCL chooses.
int nccl_channels(std::string_view axis, const NcclOptions& options);

/// Where a rank runs.
struct RankHome {
  int node = 0;        // nodes are numbered by their first rank; ranks of one share memory
  std::string host;    // the node's name
  int local_rank = 0;  // among the ranks of its node
  std::string cores;   // that it may run on: "0-3,8"
  int world_rank = 0;  // among all ranks of the job
};

/// This process among all of them. Made once, at the start of main; ends MPI when destroyed in good order. While an
/// exception is in flight nothing is torn down: report it with abort().
class World {
 public:
  /// Initialises MPI (a process started without mpirun is a world of one).
  static std::unique_ptr<World> connect(int* argc, char*** argv);
  virtual ~World() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual std::string host() const = 0;
  /// Rank among the ranks of this host, and their number.
  virtual int local_rank() const = 0;
  virtual int local_size() const = 0;
  /// All ranks.
  virtual Group& group() = 0;
  /// Where every rank runs, by rank.
  virtual std::span<const RankHome> homes() const = 0;
  /// The ranks of one colour, in the order of `key`: a group for tensors of this device, over NCCL where that is a GPU,
  /// which no other rank may have. All ranks call.
  virtual std::unique_ptr<Group> split(const std::string& name, std::int64_t colour, std::int64_t key, Device& device,
                                       const NcclOptions& nccl) = 0;
  /// A world of some of these ranks alone, given in ascending order: only they call, while others do something else.
  /// It is destroyed by all of them together, before this one.
  virtual std::unique_ptr<World> part(std::span<const int> ranks) = 0;
  /// Opens a desk on rank 0, which `clerk`, given there alone, serves until it closes. All ranks call.
  virtual std::unique_ptr<Desk> open_desk(Clerk* clerk) = 0;
  /// Prints "rank 3 of 8 on host: message" (of all ranks of the job, in a part as well) on stderr and ends the job on
  /// every rank with this exit code.
  [[noreturn]] virtual void abort(const std::string& message, int exit_code) = 0;
};

/// A group of this rank alone: every collective is the identity.
std::unique_ptr<Group> make_self_group(std::string name);

/// One rank's view of a group that does not exist, for planning: it counts messages and models time.
std::unique_ptr<DryGroup> make_dry_group(std::string name, int rank, int size, const RingLink& link);

/// Runs `body` on `ranks` threads of this process, each with its own member of one world; rethrows the first exception.
/// For tests of everything that is parallel, without processes. Two ranks share a node.
void run_thread_world(int ranks, const std::function<void(World&)>& body);
/// The same for what needs no more than the group of all ranks.
void run_thread_ranks(int ranks, const std::function<void(Group&)>& body);

/// One rank's groups along the axes of a mesh.
struct MeshGroups {
  MeshShape shape;
  MeshPlace place;
  std::unique_ptr<Group> replica, shard, tensor;
  std::unique_ptr<Group> data;    // ranks that read different samples: replica and shard together
  std::unique_ptr<Group> copies;  // neighbours on the tensor axis that hold the same key and value heads
};
/// Every rank's index when ranks are counted node by node, so that neighbours share a node wherever nodes are large
/// enough. By rank.
std::vector<std::int64_t> ranks_by_node(std::span<const RankHome> homes);
/// Lays the ranks out node by node, so that the tensor axis stays within a node where that is possible. `copies`: ranks
/// of the tensor axis that hold the same key and value heads. All ranks call; throws Error(usage) when the mesh is not
/// the world's size.
MeshGroups connect_mesh(World& world, const MeshShape& shape, std::int64_t copies, Device& device,
                        const NcclOptions& nccl = {});
/// The same for rank `rank` of a world that does not exist, laid out over nodes of links.ranks_per_node: dry groups.
MeshGroups make_dry_mesh(const MeshShape& shape, std::int64_t rank, std::int64_t copies, const ClusterLinks& links);

/// The groups that a parameter store works with; none: an axis of one rank.
struct ParamAxes {
  Group* replica = nullptr;
  Group* shard = nullptr;
  Group* tensor = nullptr;
  Group* copies = nullptr;
};
struct ShardingOptions {
  ZeroStage stage = ZeroStage::parameters;
  ReduceEvery reduce = ReduceEvery::micro_step;  // of stages 2 and 3; stage 1 reduces once per step
  Dtype reduce_dtype = Dtype::f32;               // of gradients on the way over the shard axis: f32 or bf16
};

/// Parameters of `table` over these axes: cut by the tensor axis, sharded over the shard axis where it has more than
/// one rank, replicated over the replica axis. Masters, moments and gradients are f32, `compute` is f32 or bf16.
std::unique_ptr<ParamStore> make_params(const ParamTable& table, Device& device, const Ops& ops, Dtype compute,
                                        const ParamAxes& axes, const ShardingOptions& options = {});

}  // namespace trireme
