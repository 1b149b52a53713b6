// SPDX-License-Identifier: Apache-2.0
#include "core/train/checkpoint_probe.h"

#include <filesystem>
#include <limits>
#include <thread>

#include "core/base/error.h"
#include "core/io/atomic_file.h"
#include "core/io/folder_lock.h"
#include "core/train/checkpoint_folder.h"
#include "core/train/rank_agreement.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kBetweenLooks{250};
constexpr std::size_t kNonceLength = 32;

std::string gib(std::uint64_t bytes) {
  return fmt::format("{:.3f} GiB", static_cast<double>(bytes) / static_cast<double>(std::uint64_t{1} << 30U));
}

void check_room(const RootProbe& probe) {
  const bool one_is_there = !list_checkpoints(probe.root).empty();
  const std::uint64_t needed = room_needed(probe.checkpoint_bytes, one_is_there);
  const std::uint64_t found = free_bytes(probe.root);
  check(found >= needed,
        "{} has no room for this run's checkpoints: {} ({} bytes) must be free, {} ({} bytes) are. A checkpoint takes "
        "{}, "
        "masters and moments; {} such are needed{}, so that a new one is whole before an old one goes. Free the space, "
        "or choose a run.dir on another file system",
        probe.root, gib(needed), needed, gib(found), found, gib(probe.checkpoint_bytes), one_is_there ? "1.1" : "2.2",
        one_is_there ? " beside those that are there" : "");
}

/// Why this rank does not find at `path` the text that was written there, after some patience; empty when it does.
std::string sight(const std::string& path, const std::string& text, std::chrono::milliseconds patience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  for (;;) {
    const std::string problem = problem_of(
        [&] { check(read_file(path, kNonceLength) == text, "{} holds something else than was written", path); });
    if (problem.empty()) return {};
    if (std::chrono::steady_clock::now() >= end) return problem;
    std::this_thread::sleep_for(kBetweenLooks);
  }
}

}  // namespace

std::uint64_t room_needed(std::uint64_t checkpoint_bytes, bool one_is_there) {
  const std::uint64_t tenths = one_is_there ? 11 : 22;
  std::uint64_t needed = 0;
  if (__builtin_mul_overflow(checkpoint_bytes, tenths, &needed)) return std::numeric_limits<std::uint64_t>::max();
  return needed / 10;
}

void probe_root(const RootProbe& probe, Group& world) {
  // The name is new each time: no rank's file system can remember that it was not there.
  const std::string reply = on_rank_zero(world, [&] {
    check_room(probe);
    const std::string nonce = new_run_name();
    const std::string path = probe_path(probe.root, nonce);
    write_file_atomic(path, nonce);
    const std::string problem = sight(path, nonce, {});
    if (!problem.empty()) fs::remove(path);
    check(problem.empty(), "a file written to {} is not there afterwards: {}. Choose another run.dir", probe.root,
          problem);
    return nonce + host_name();
  });
  const std::string nonce = reply.substr(0, kNonceLength);
  std::string own_problem = sight(probe_path(probe.root, nonce), nonce, probe.patience);
  if (!own_problem.empty()) {
    own_problem = fmt::format(
        "host {} does not see in {} what rank 0 has written there on host {}: all ranks must see the same folder; "
        "choose a run.dir on a file system that all hosts share ({})",
        host_name(), probe.root, reply.substr(kNonceLength), own_problem);
  }
  const std::string problem = first_problem(world, own_problem);
  on_rank_zero(world, [&]() -> std::string {
    const std::string path = probe_path(probe.root, nonce);
    std::error_code error;
    fs::remove(path, error);
    check(!error || !problem.empty(), "cannot remove {}: {}", path, error.message());
    return {};
  });
  check(problem.empty(), "{}", problem);
}

}  // namespace trireme
