// SPDX-License-Identifier: Apache-2.0
// Folders of checkpoints whose content is known, and damage to them.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <vector>

#include "core/io/atomic_file.h"
#include "tests/core/train/checkpoint_member.h"

namespace trireme {

/// Saves these steps, each filled with its own number as salt, on `ranks` ranks.
inline void save_steps(const std::string& root, std::initializer_list<std::int64_t> steps, int ranks = 1,
                       Lay lay = Lay::replicated, std::int64_t keep = 10) {
  run_thread_ranks(ranks, [&](Group& group) {
    CheckpointMember member(group, lay);
    Checkpoints checkpoints({.root = root, .keep = keep, .config_hash = "c"}, member.parts());
    checkpoints.load(ResumePolicy{});
    for (const std::int64_t step : steps) {
      member.fill(static_cast<std::uint64_t>(step));
      const SaveResult result = checkpoints.save(state_at(step));
      EXPECT_TRUE(result.saved) << result.message;
      EXPECT_GT(result.bytes, 3U * 4U * 3000U);
    }
  });
}

/// The steps that are there, newest first.
inline std::vector<std::int64_t> steps_in(const std::string& root) {
  std::vector<std::int64_t> steps;
  for (const CheckpointEntry& entry : list_checkpoints(root)) steps.push_back(entry.step);
  return steps;
}

/// Turns one bit of a file over.
inline void flip_bit(const std::string& path, std::uint64_t at) {
  const FileDescriptor file = FileDescriptor::open_write(path);
  char byte = 0;
  file.pread_all(&byte, 1, at);
  byte = static_cast<char>(byte ^ 0x10);
  file.pwrite_all(&byte, 1, at);
}

}  // namespace trireme
