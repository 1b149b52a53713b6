// SPDX-License-Identifier: Apache-2.0
// A training step of one rank, on a machine and in a world that need not exist: the trainer of `trireme train` runs on
// the dry device and dry groups, and what it does is counted.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/train/trainer.h"
#include "kernels/kernels.h"
#include "launch/run.h"
#include "launch/run_config.h"
#include "parallel/parallel.h"

namespace trireme {

/// Memory of one rank in bytes.
struct PlannedMemory {
  /// By purpose: what the parameter store holds, activations by lifetime, and the scratch of operations. They add up to
  /// `device`.
  std::vector<std::pair<std::string, std::size_t>> purposes;
  std::size_t head = 0;  // of the activations: what the head alone declares
  std::size_t device = 0;
  std::size_t scratch = 0;    // of it
  std::size_t libraries = 0;  // beside it: what drivers and libraries take of a GPU, by the machine's table
  std::size_t pinned = 0;     // host memory, without the loader's
  bool fits = false;          // all of it

  std::size_t all() const { return device + libraries; }
};

/// Collectives of one rank along one axis.
struct AxisTraffic {
  std::string axis;
  int ranks = 1;
  std::map<CollectiveKind, ModelledTraffic> collectives;
};

/// What one rank does in one step, once the run goes on (not the first step).
struct PlannedStep {
  std::int64_t micro_steps = 0;
  DryCounts counts;
  std::vector<AxisTraffic> axes;
  double seconds = 0.0;                // modelled; the sum of the next three
  double operation_seconds = 0.0;      // operations
  double communication_seconds = 0.0;  // collectives that operations wait for at once (the tensor axis)
  double waiting_seconds = 0.0;        // for what other streams had not done yet: communication that is not hidden
  double tokens_per_second = 0.0;      // of all ranks
  double mfu = 0.0;                    // causal convention, as in the log of a run
};

/// One rank of a run, planned.
class DryRun {
 public:
  /// `config` is valid for its mesh. Runs the first step, which makes what is made at first use. Throws Error(usage) as
  /// the trainer does.
  DryRun(const RunConfig& config, const Machine& machine);
  ~DryRun();

  PlannedMemory memory() const;
  /// The memory of activations, by name; valid as long as this object.
  const Plan& activations() const { return trainer_->plan(); }
  std::int64_t parameters() const { return engine_->table.count(); }
  const DryDevice& device() const;
  /// Runs another step and tells of it.
  PlannedStep step();

 private:
  class Batches;
  std::size_t library_bytes() const;

  const RunConfig config_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Batches> batches_;
  std::unique_ptr<Trainer> trainer_;
};

}  // namespace trireme
