// SPDX-License-Identifier: Apache-2.0
// Checkpoints of a run: named global slices of masters and moments, and how far the run is. Any mesh reads what any
// other wrote. docs/formats.md says every byte.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/device.h"
#include "core/base/group.h"
#include "core/base/params.h"
#include "core/train/train_state.h"

namespace trireme {

struct Manifest;

/// `--resume`: automatic takes the newest checkpoint that loads, strict the newest or none, step exactly that one,
/// never starts from the beginning.
struct ResumePolicy {
  enum class Kind { automatic, strict, step, never } kind = Kind::automatic;
  std::int64_t step = 0;

  /// "auto", "strict", "never" or a step; throws Error(usage) for anything else.
  static ResumePolicy parse(std::string_view text);
};

/// What is saved and loaded, and by whom. All borrowed.
struct CheckpointParts {
  const ParamTable& table;
  ParamStore& store;
  Device& device;
  Stream& stream;
  Group& world;  // all ranks
};

struct CheckpointOptions {
  std::string root;                                   // the folder of checkpoints; made when missing
  std::int64_t keep = 3;                              // of the verified ones, the newest that stay
  std::string config_hash = {};                       // of the resolved configuration; recorded
  std::function<void(const std::string&)> note = {};  // one line for people, on rank 0
  /// For tests: on rank 0, with the folder of a checkpoint between its commit and its read-back.
  std::function<void(const std::string&)> committed = {};
};

struct SaveResult {
  bool saved = false;
  std::string message;      // why not
  std::uint64_t bytes = 0;  // of all ranks' files
};

/// One run's folder of checkpoints, opened for writing. Every call is made by all ranks together and ends the same way
/// on all of them.
class Checkpoints {
 public:
  /// Takes the folder over: a job that still writes there will be refused. Throws Error when there is no room for
  /// checkpoints, the folder cannot be written, or ranks see different folders.
  Checkpoints(CheckpointOptions options, const CheckpointParts& parts);

  /// Loads masters and moments, refreshes the compute copies, and returns where to go on; nothing: start from the
  /// beginning (policy never, or automatic in a folder in which nothing was ever committed). A checkpoint that any rank
  /// cannot read is moved to quarantine/ and the one before it is tried. Throws Error when nothing loads though there
  /// were checkpoints, and Error(usage) when a checkpoint is of another model. Checkpoints newer than where the run
  /// goes on are moved to quarantine/.
  std::optional<TrainState> load(const ResumePolicy& policy);

  /// Writes a checkpoint, reads it back from the disk and marks it as verified; the compute stream's work is done. What
  /// the world does to it (a full disk, other bytes than were written: it is then in quarantine/) is in the result,
  /// leaves earlier checkpoints as they were, and is no reason to stop. Throws Error only when another job has taken
  /// the folder over.
  SaveResult save(const TrainState& state);

 private:
  void open_root();
  std::string write_stage(const std::string& stage, const TrainState& state, Manifest& part);
  std::string commit(const std::string& stage, const Manifest& part);
  std::string read_back(std::int64_t step, const Manifest& part);
  std::string verify_unmarked(std::int64_t step, const Manifest& manifest);
  void move_newer_away(std::int64_t step);
  void note(const std::string& line) const;

  CheckpointOptions options_;
  CheckpointParts parts_;
  std::string run_;
  std::int64_t attempt_ = 0;
  std::int64_t parent_step_ = 0;
  std::optional<TrainState> last_;  // loaded or saved
  int saves_ = 0;
};

struct CheckpointEntry {
  std::int64_t step = 0;
  std::string path;
};
/// The committed checkpoints under `root`, newest first. Throws Error when `root` cannot be read.
std::vector<CheckpointEntry> list_checkpoints(const std::string& root);

/// Why a run whose checkpoints are under `root` cannot resume as the policy says: there is none, or not that step.
/// Nothing where it can, as far as names tell.
std::string resume_problem(const std::string& root, const ResumePolicy& policy);

/// What is in `root` and is no checkpoint: folders step-* that have no manifest, newest first, then stages: being
/// written, or left by a job that was killed.
std::vector<std::string> list_incomplete(const std::string& root);
/// Whether a checkpoint folder was read back after it was written, and marked, and has the same manifest since.
bool is_verified(const std::string& path);

struct CheckpointSummary {
  std::string run;
  std::int64_t attempt = 0;
  std::int64_t world = 0;  // ranks that wrote it
  std::string config_hash;
  TrainState train;
  std::int64_t tensors = 0;
  std::int64_t parameters = 0;
  std::uint64_t bytes = 0;
};
/// What the manifest of a checkpoint folder says.
CheckpointSummary inspect_checkpoint(const std::string& path);
/// Reads every byte of a checkpoint folder and holds it against checksums and digests; throws Error at the first fault.
CheckpointSummary verify_checkpoint(const std::string& path);

/// Loads masters alone, for evaluation, and refreshes the compute copies. `path`: a checkpoint folder, or a folder of
/// checkpoints (its newest is taken), or a run folder with `checkpoints` in it. All ranks; throws Error on all of them
/// when one cannot read, which names the newest older step that could be taken instead.
CheckpointSummary load_weights(const std::string& path, const CheckpointParts& parts);

}  // namespace trireme
