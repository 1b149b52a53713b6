// SPDX-License-Identifier: Apache-2.0
// The parallel wing's public header: who acts together, and where parameters live.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/base/group.h"
#include "core/base/mesh.h"
#include "core/base/ops.h"
#include "core/base/params.h"
#include "parallel/traffic.h"
#include "parallel/watchdog.h"

namespace trireme {

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
  /// The ranks that differ from this one in the given axis alone.
  virtual std::unique_ptr<Group> replica_group(const MeshShape& mesh) = 0;
  virtual std::unique_ptr<Group> shard_group(const MeshShape& mesh) = 0;
  virtual std::unique_ptr<Group> tensor_group(const MeshShape& mesh) = 0;
  /// Prints "rank 3 of 8 on host: message" on stderr and ends the job on every rank with this exit code.
  [[noreturn]] virtual void abort(const std::string& message, int exit_code) = 0;
};

/// A group of this rank alone: every collective is the identity.
std::unique_ptr<Group> make_self_group(std::string name);

/// Runs `body(group)` on `ranks` threads of this process, each with its own member of one group; rethrows the first
/// exception. For tests of everything that is parallel, without processes.
void run_thread_ranks(int ranks, const std::function<void(Group&)>& body);

/// Every rank holds all parameters; gradients are summed over `replicas`.
std::unique_ptr<ParamStore> make_replicated_params(const ParamTable& table, Device& device, const Ops& ops,
                                                   Dtype compute, Group& replicas);

}  // namespace trireme
