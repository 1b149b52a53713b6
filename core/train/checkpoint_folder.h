// SPDX-License-Identifier: Apache-2.0
// The names in a folder of checkpoints and what may be done to them: nothing under step-* changes after its rename, but
// that VERIFIED is added.
#pragma once

#include <cstdint>
#include <string>

#include "core/train/checkpoint.h"

namespace trireme {

/// RUN.json: which run this folder belongs to and which start of it may write.
struct RunFile {
  std::string run;           // 32 hexadecimal digits
  std::int64_t attempt = 0;  // the fencing token: grows with every start
};

/// Throws Error when it is missing or damaged.
RunFile read_run_file(const std::string& root);
void write_run_file(const std::string& root, const RunFile& run);
/// A name for a new run that no other run has: 32 hexadecimal digits.
std::string new_run_name();

std::string step_path(const std::string& root, std::int64_t step);
/// Whether a checkpoint was ever moved to quarantine/ here.
bool has_quarantine(const std::string& root);
/// Makes an empty folder to write a checkpoint in, and returns its path.
std::string make_stage(const std::string& root, std::int64_t step, std::int64_t attempt, int save);
/// Renames step-* into quarantine/, under a name that says why; returns the new path.
std::string move_to_quarantine(const std::string& root, std::int64_t step, std::int64_t attempt,
                               const std::string& why);
/// Renames the folder out of sight and removes it. Quiet: what is left over is removed at the next start.
void discard(const std::string& root, const std::string& path) noexcept;
/// Removes what attempts before this one have left half done.
void remove_leftovers(const std::string& root);

/// The file with which a start looks whether the folder can be used; `name` is new each time.
std::string probe_path(const std::string& root, const std::string& name);

/// Writes VERIFIED into a checkpoint folder, for the manifest that is there; synced.
void mark_verified(const std::string& path);
/// Of the verified checkpoints the newest `keep` stay, and with them all that are newer than the last of these: what
/// was not verified neither counts nor makes another go.
void remove_old(const std::string& root, std::int64_t keep);

}  // namespace trireme
