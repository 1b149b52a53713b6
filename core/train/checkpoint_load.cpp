// SPDX-License-Identifier: Apache-2.0
// Choosing a checkpoint and loading it: all ranks take the same one, or fall back together.
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "core/base/error.h"
#include "core/io/atomic_file.h"
#include "core/train/checkpoint.h"
#include "core/train/checkpoint_bytes.h"
#include "core/train/checkpoint_folder.h"
#include "core/train/checkpoint_manifest.h"
#include "core/train/rank_agreement.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

std::string manifest_path(const std::string& folder) { return folder + "/MANIFEST.json"; }

/// Read once, by rank 0, so that all ranks judge the same bytes.
Manifest read_manifest(const std::string& folder, Group& world) {
  const std::string path = manifest_path(folder);
  const std::string text = on_rank_zero(world, [&] { return read_file(path, kManifestLimit); });
  return parse_manifest(text, path);
}

/// After the load: what the ranks own adds up to the digests of the save, and so does every tensor that this rank
/// holds whole.
std::string digest_problem(const std::string& folder, const Manifest& manifest, const CheckpointParts& parts,
                           ReadKinds kinds, SliceMover& mover) {
  const std::size_t compared = kinds == ReadKinds::all ? kCheckpointKinds.size() : 1;
  const auto differing = [&](std::size_t tensor, std::size_t kind) {
    return fmt::format("{}: after loading, the {} of {} are not what was saved: their digest differs", folder,
                       kCheckpointKinds[kind], manifest.tensors[tensor].name);
  };
  std::vector<std::array<TensorDigest, 3>> digests(manifest.tensors.size());
  const std::string own_problem = problem_of([&] {
    const std::vector<NamedSlice> held = parts.store.slices(SliceKind::held);
    std::vector<NamedSlice> whole;
    for (const NamedSlice& slice : held) {
      if (slice.extent == slice.global) whole.push_back(slice);
    }
    add_digests(manifest, whole, kinds, mover, digests);
    std::set<std::string_view> names;
    for (const NamedSlice& slice : whole) names.insert(slice.name);
    for (std::size_t i = 0; i < digests.size(); ++i) {
      if (!names.contains(manifest.tensors[i].name)) continue;
      for (std::size_t kind = 0; kind < compared; ++kind) {
        check(digests[i][kind] == manifest.tensors[i].digests[kind], "{}", differing(i, kind));
      }
    }
    digests.assign(digests.size(), {});
    add_digests(manifest, parts.store.slices(SliceKind::owned), kinds, mover, digests);
  });
  std::vector<std::uint64_t> words;
  for (const auto& of_tensor : digests) {
    for (const TensorDigest& digest : of_tensor) words.insert(words.end(), {digest.first, digest.second});
  }
  const std::string problem = first_problem(parts.world, own_problem);
  if (!problem.empty()) return problem;
  parts.world.host_sum(words);
  for (std::size_t i = 0; i < digests.size(); ++i) {
    for (std::size_t kind = 0; kind < compared; ++kind) {
      const TensorDigest sum{words[6 * i + 2 * kind], words[6 * i + 2 * kind + 1]};
      if (sum != manifest.tensors[i].digests[kind]) return differing(i, kind);
    }
  }
  return {};
}

/// Fills the store; returns what went wrong on any rank, the same on all.
std::string load_arrays(const std::string& folder, const Manifest& manifest, const CheckpointParts& parts,
                        ReadKinds kinds) {
  SliceMover mover(parts.device, parts.stream);
  const std::string problem = first_problem(
      parts.world,
      problem_of([&] { read_slices(folder, manifest, parts.store.slices(SliceKind::held), kinds, mover); }));
  if (!problem.empty()) return problem;
  const std::string digests = digest_problem(folder, manifest, parts, kinds, mover);
  if (!digests.empty()) return digests;
  parts.store.refresh(parts.stream);
  parts.stream.synchronize();
  return {};
}

CheckpointSummary summary_of(const Manifest& manifest) {
  CheckpointSummary summary{.run = manifest.run,
                            .attempt = manifest.attempt,
                            .world = manifest.world,
                            .config_hash = manifest.config_hash,
                            .train = manifest.train,
                            .tensors = static_cast<std::int64_t>(manifest.tensors.size()),
                            .parameters = 0,
                            .bytes = 0};
  for (const ManifestTensor& tensor : manifest.tensors) summary.parameters += tensor.shape.elements();
  for (const ManifestFile& file : manifest.files) summary.bytes += file.bytes;
  return summary;
}

Manifest read_manifest_alone(const std::string& folder) {
  return parse_manifest(read_file(manifest_path(folder), kManifestLimit), manifest_path(folder));
}

/// The steps under root, newest first, the same on all ranks.
std::vector<std::int64_t> agreed_steps(const std::string& root, Group& world) {
  const std::string text = on_rank_zero(world, [&] {
    std::string list;
    for (const CheckpointEntry& entry : list_checkpoints(root)) list += fmt::format("{}\n", entry.step);
    return list;
  });
  std::vector<std::int64_t> steps;
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) steps.push_back(std::stoll(text.substr(at)));
  return steps;
}

/// Every block of every file held against its checksum, the files dealt to the ranks; what is wrong, the same on all.
std::string blocks_problem(const std::string& folder, const Manifest& manifest, Group& world) {
  const auto first = static_cast<std::size_t>(world.rank());
  const auto stride = static_cast<std::size_t>(world.size());
  return first_problem(world, problem_of([&] { verify_blocks(folder, manifest, first, stride); }));
}

/// Which step to take instead of the checkpoint `folder`, which cannot be read: the newest older one that can.
std::string older_advice(const std::string& folder, Group& world) {
  fs::path path = fs::path(folder).lexically_normal();
  if (path.filename().empty()) path = path.parent_path();
  const std::string root = path.has_parent_path() ? path.parent_path().string() : ".";
  std::vector<std::int64_t> steps;
  problem_of([&] { steps = agreed_steps(root, world); });
  bool is_older = false;
  for (const std::int64_t step : steps) {
    const std::string older = step_path(root, step);
    if (!is_older) {
      is_older = fs::path(older).filename() == path.filename();
      continue;
    }
    Manifest manifest;
    std::string problem = problem_of([&] { manifest = read_manifest(older, world); });
    if (problem.empty()) problem = blocks_problem(older, manifest, world);
    if (problem.empty()) return fmt::format("The newest older checkpoint that is complete is --step {}", step);
  }
  return fmt::format("{} holds no older checkpoint that is complete", root);
}

/// Where `path` keeps the checkpoint to take: see load_weights.
std::string find_checkpoint(const std::string& path) {
  if (fs::exists(manifest_path(path))) return path;
  for (const std::string& root : {path, path + "/checkpoints"}) {
    if (!fs::is_directory(root)) continue;
    const auto entries = list_checkpoints(root);
    if (!entries.empty()) return entries.front().path;
  }
  fail("there is no checkpoint in {}: a folder step-N with a MANIFEST.json, or one that holds such folders, expected",
       path);
}

/// What the policy asks for and is not among the steps under root.
std::string what_is_missing(const std::vector<std::int64_t>& steps, const std::string& root,
                            const ResumePolicy& policy) {
  using Kind = ResumePolicy::Kind;
  if (policy.kind == Kind::automatic || policy.kind == Kind::never) return {};
  if (steps.empty()) return fmt::format("there is no checkpoint in {} to resume from", root);
  if (policy.kind == Kind::strict || std::find(steps.begin(), steps.end(), policy.step) != steps.end()) return {};
  return fmt::format("there is no step {} in {}: there are {}", policy.step, root, fmt::join(steps, ", "));
}

}  // namespace

std::string resume_problem(const std::string& root, const ResumePolicy& policy) {
  std::vector<std::int64_t> steps;
  if (fs::is_directory(root)) {
    for (const CheckpointEntry& entry : list_checkpoints(root)) steps.push_back(entry.step);
  }
  return what_is_missing(steps, root, policy);
}

CheckpointSummary inspect_checkpoint(const std::string& path) { return summary_of(read_manifest_alone(path)); }

CheckpointSummary verify_checkpoint(const std::string& path) {
  const Manifest manifest = read_manifest_alone(path);
  verify_files(path, manifest);
  return summary_of(manifest);
}

CheckpointSummary load_weights(const std::string& path, const CheckpointParts& parts) {
  const std::string folder = on_rank_zero(parts.world, [&] { return find_checkpoint(path); });
  Manifest manifest;
  std::string problem = problem_of([&] { manifest = read_manifest(folder, parts.world); });
  if (problem.empty()) {
    check_same_model(manifest, parts.table, folder);
    problem = load_arrays(folder, manifest, parts, ReadKinds::masters);
  }
  if (!problem.empty()) fail("{}. {}", problem, older_advice(folder, parts.world));
  return summary_of(manifest);
}

/// A checkpoint that has no mark (its job was killed before the read-back, or is older than the mark) is read back now,
/// so that retention can count it. Returns what is wrong with it.
std::string Checkpoints::verify_unmarked(std::int64_t step, const Manifest& manifest) {
  const std::string folder = step_path(options_.root, step);
  if (on_rank_zero(parts_.world, [&] { return std::string(is_verified(folder) ? "yes" : "no"); }) == "yes") return {};
  const std::string problem = blocks_problem(folder, manifest, parts_.world);
  if (problem.empty() && parts_.world.rank() == 0) problem_of([&] { mark_verified(folder); });
  return problem;
}

void Checkpoints::move_newer_away(std::int64_t step) {
  const std::string moved = on_rank_zero(parts_.world, [&] {
    std::string list;
    for (const CheckpointEntry& entry : list_checkpoints(options_.root)) {
      if (entry.step <= step) break;
      move_to_quarantine(options_.root, entry.step, attempt_, "superseded");
      list += fmt::format("{}{}", list.empty() ? "" : ", ", entry.step);
    }
    return list;
  });
  if (!moved.empty()) {
    note(fmt::format("the run does not go on from step {}: moved to {}/quarantine", moved, options_.root));
  }
}

std::optional<TrainState> Checkpoints::load(const ResumePolicy& policy) {
  using Kind = ResumePolicy::Kind;
  const std::string& root = options_.root;
  if (policy.kind == Kind::never) {
    move_newer_away(-1);
    return std::nullopt;
  }
  const std::vector<std::int64_t> steps = agreed_steps(root, parts_.world);
  if (steps.empty() && policy.kind == Kind::automatic &&
      on_rank_zero(parts_.world, [&] { return std::string(has_quarantine(root) ? "yes" : "no"); }) == "no") {
    return std::nullopt;
  }
  const std::string missing = what_is_missing(steps, root, policy);
  check_usage(missing.empty(), "{}", missing);
  for (const std::int64_t step : steps) {
    if (policy.kind == Kind::step && step != policy.step) continue;
    const std::string folder = step_path(root, step);
    Manifest manifest;
    std::string problem = problem_of([&] {
      manifest = read_manifest(folder, parts_.world);
      check(manifest.run == run_, "{} is of another run: {}, not {}", folder, manifest.run, run_);
      check(manifest.train.step == step, "{} says that it is step {}", folder, manifest.train.step);
    });
    if (problem.empty()) {
      check_same_model(manifest, parts_.table, folder);
      problem = load_arrays(folder, manifest, parts_, ReadKinds::all);
      if (problem.empty()) problem = verify_unmarked(step, manifest);
    }
    if (problem.empty()) {
      move_newer_away(step);
      if (manifest.config_hash != options_.config_hash) {
        note(fmt::format("step {} was saved under another configuration", step));
      }
      parent_step_ = step;
      last_ = manifest.train;
      return manifest.train;
    }
    check(policy.kind == Kind::automatic, "step {} does not load: {}", step, problem);
    const std::string moved =
        on_rank_zero(parts_.world, [&] { return move_to_quarantine(root, step, attempt_, "bad"); });
    note(fmt::format("step {} does not load and is now {}: {}", step, moved, problem));
  }
  fail(
      "nothing in {} loads: what was there is in {}/quarantine. Look at it with `trireme inspect`, put a checkpoint "
      "back "
      "or start from the beginning with --resume never",
      root, root);
}

}  // namespace trireme
