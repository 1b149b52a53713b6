// SPDX-License-Identifier: Apache-2.0
#include "core/train/checkpoint_folder.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <random>
#include <system_error>

#include "core/base/error.h"
#include "core/io/atomic_file.h"
#include "core/io/checksum.h"
#include "core/io/json.h"
#include "core/train/checkpoint_manifest.h"
#include "core/train/rank_agreement.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStep = "step-";
constexpr std::string_view kStage = ".stage-";
constexpr std::string_view kTrash = ".trash-";
constexpr std::string_view kProbe = ".probe-";
constexpr std::uint64_t kMarkLimit = 4096;

bool is_working_name(const std::string& name) {
  return name.starts_with(kStage) || name.starts_with(kTrash) || name.starts_with(kProbe);
}

std::string mark_text(const std::string& path) {
  const std::string manifest = read_file(path + "/MANIFEST.json", kManifestLimit);
  return to_text({{"format", "trireme.verified"}, {"manifest", hex(xxh3_128(manifest))}});
}

/// A path under `parent` that does not exist yet: `name`, `name.1`, `name.2`, ...
std::string unused_path(const std::string& parent, const std::string& name) {
  std::string path = parent + "/" + name;
  for (int i = 1; fs::exists(fs::symlink_status(path)); ++i) path = fmt::format("{}/{}.{}", parent, name, i);
  return path;
}

void make_directory(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  check(!error, "cannot make the folder {}: {}", path, error.message());
}

}  // namespace

RunFile read_run_file(const std::string& root) {
  const std::string path = root + "/RUN.json";
  const auto json = read_json(path, 4096);
  check_json_keys(json, {"format", "run", "attempt"}, path);
  check(json_text(json, "format", path) == "trireme.run", "{}: format 'trireme.run' expected", path);
  RunFile file{json_text(json, "run", path), static_cast<std::int64_t>(json_size(json, "attempt", path))};
  hash128_from_hex(file.run, path);
  check(file.attempt < 1000000000, "{}: attempt = {}", path, file.attempt);
  return file;
}

void write_run_file(const std::string& root, const RunFile& run) {
  write_file_atomic(root + "/RUN.json",
                    to_text({{"format", "trireme.run"}, {"run", run.run}, {"attempt", run.attempt}}));
}

std::string new_run_name() {
  std::random_device device;
  const auto now = std::chrono::system_clock::now().time_since_epoch().count();
  const std::string seed = fmt::format("{} {} {} {} {}", now, device(), device(), device(), device());
  return hex(xxh3_128(seed));
}

std::string step_path(const std::string& root, std::int64_t step) {
  return fmt::format("{}/{}{:08}", root, kStep, step);
}

bool has_quarantine(const std::string& root) {
  std::error_code error;
  return fs::exists(root + "/quarantine", error) && !fs::is_empty(root + "/quarantine", error);
}

std::string make_stage(const std::string& root, std::int64_t step, std::int64_t attempt, int save) {
  const std::string path = unused_path(root, fmt::format("{}{:08}.a{:04}.{}", kStage, step, attempt, save));
  make_directory(path);
  return path;
}

std::string move_to_quarantine(const std::string& root, std::int64_t step, std::int64_t attempt,
                               const std::string& why) {
  const std::string quarantine = root + "/quarantine";
  make_directory(quarantine);
  const std::string to = unused_path(quarantine, fmt::format("{}{:08}.{}.a{:04}", kStep, step, why, attempt));
  rename_synced(step_path(root, step), to);
  sync_directory(root);
  return to;
}

void discard(const std::string& root, const std::string& path) noexcept {
  std::error_code ignored;
  try {
    const std::string trash = unused_path(root, std::string(kTrash) + fs::path(path).filename().string());
    fs::rename(path, trash);
    fs::remove_all(trash, ignored);
  } catch (...) {  // NOLINT(bugprone-empty-catch): tried again at the next start
  }
}

void remove_leftovers(const std::string& root) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(root)) {
    const std::string name = entry.path().filename().string();
    const bool half_written = name.starts_with('.') && name.ends_with(".tmp");  // of write_file_atomic
    if (is_working_name(name) || half_written) fs::remove_all(entry.path(), ignored);
  }
}

std::string probe_path(const std::string& root, const std::string& name) {
  return fmt::format("{}/{}{}", root, kProbe, name);
}

void mark_verified(const std::string& path) { write_file_atomic(path + "/VERIFIED", mark_text(path)); }

bool is_verified(const std::string& path) {
  bool same = false;
  problem_of([&] { same = read_file(path + "/VERIFIED", kMarkLimit) == mark_text(path); });
  return same;
}

void remove_old(const std::string& root, std::int64_t keep) {
  std::int64_t verified = 0;
  for (const CheckpointEntry& entry : list_checkpoints(root)) {
    if (verified >= keep) {
      discard(root, entry.path);
    } else if (is_verified(entry.path)) {
      ++verified;
    }
  }
}

std::vector<std::string> list_incomplete(const std::string& root) {
  std::vector<std::string> paths;
  for (const CheckpointEntry& entry : list_checkpoints(root)) {
    if (!fs::is_regular_file(entry.path + "/MANIFEST.json")) paths.push_back(entry.path);
  }
  const std::size_t steps = paths.size();
  for (const auto& item : fs::directory_iterator(root)) {
    const std::string name = item.path().filename().string();
    if (name.starts_with(kStage)) paths.push_back(root + "/" + name);
  }
  std::sort(paths.begin() + static_cast<std::ptrdiff_t>(steps), paths.end());
  return paths;
}

std::vector<CheckpointEntry> list_checkpoints(const std::string& root) {
  std::vector<CheckpointEntry> entries;
  std::error_code error;
  fs::directory_iterator folder(root, error);
  check(!error, "cannot list the checkpoints in {}: {}", root, error.message());
  for (const auto& item : folder) {
    const std::string name = item.path().filename().string();
    if (!name.starts_with(kStep) || name.size() < kStep.size() + 8) continue;
    std::int64_t step = -1;
    const char* end = name.data() + name.size();
    const auto [stop, fault] = std::from_chars(name.data() + kStep.size(), end, step);
    if (fault != std::errc{} || stop != end || step < 0 || step_path(root, step) != root + "/" + name) continue;
    entries.push_back({step, root + "/" + name});
  }
  std::sort(entries.begin(), entries.end(),
            [](const CheckpointEntry& a, const CheckpointEntry& b) { return a.step > b.step; });
  return entries;
}

}  // namespace trireme
