// SPDX-License-Identifier: Apache-2.0
// A program that saves one checkpoint, for the tests that kill it: checkpoint_writer ROOT STEP. Prints "saved" or why
// not. It says when it begins by looking for a file that is not there: system calls before that are not the
// checkpoint's.
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <string>

#include "tests/core/train/checkpoint_member.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::int64_t step = std::stoll(argv[2]);
  const auto group = trireme::make_self_group("world");
  trireme::CheckpointMember member(*group, trireme::Lay::replicated);
  member.fill(static_cast<std::uint64_t>(step));
  if (::access("/checkpoint-writer-begins", F_OK) == 0) return 2;
  try {
    trireme::Checkpoints checkpoints({.root = argv[1], .keep = 1}, member.parts());
    const trireme::SaveResult result = checkpoints.save(trireme::state_at(step));
    std::puts(result.saved ? "saved" : result.message.c_str());
    std::fflush(stdout);
    return 0;
  } catch (const std::exception& e) {
    std::puts(e.what());
    return 1;
  }
}
