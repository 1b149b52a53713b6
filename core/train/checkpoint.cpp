// SPDX-License-Identifier: Apache-2.0
// Taking a folder of checkpoints over, and saving: stage, checksum, sync, rename.
#include "core/train/checkpoint.h"

#include <charconv>
#include <chrono>
#include <filesystem>
#include <map>
#include <thread>

#include "core/base/error.h"
#include "core/io/atomic_file.h"
#include "core/io/json.h"
#include "core/train/checkpoint_bytes.h"
#include "core/train/checkpoint_folder.h"
#include "core/train/checkpoint_manifest.h"
#include "core/train/checkpoint_probe.h"
#include "core/train/rank_agreement.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

// How long a rank waits to see what rank 0 wrote: network file systems remember for a while that a file was not there.
constexpr int kLooks = 20;
constexpr std::chrono::milliseconds kBetweenLooks{250};

/// Masters and moments of all parameters, in fp32; what files have beside them is well below a hundredth.
std::uint64_t checkpoint_bytes(const ParamTable& table) {
  return static_cast<std::uint64_t>(table.count()) * sizeof(float) * kCheckpointKinds.size();
}

/// The run that a folder without RUN.json belongs to: that of its newest readable checkpoint, or a new one.
RunFile adopt_run(const std::string& root) {
  for (const CheckpointEntry& entry : list_checkpoints(root)) {
    RunFile run;
    const std::string problem = problem_of([&] {
      const CheckpointSummary summary = inspect_checkpoint(entry.path);
      run = {summary.run, summary.attempt};
    });
    if (problem.empty()) return run;
  }
  return {new_run_name(), 0};
}

/// Whether this rank sees what rank 0 has written; otherwise why not.
std::string sees(const std::string& root, const RunFile& run) {
  std::string problem;
  for (int look = 0; look < kLooks; ++look) {
    if (look > 0) std::this_thread::sleep_for(kBetweenLooks);
    problem = problem_of([&] {
      const RunFile seen = read_run_file(root);
      check(seen.run == run.run && seen.attempt == run.attempt,
            "{}/RUN.json is not the one that rank 0 has written: all ranks must see the same folder, and no other job "
            "may use it",
            root);
    });
    if (problem.empty()) break;
  }
  return problem;
}

/// The manifest of the whole from what each rank has written, in the model's order.
Manifest merge_parts(const std::vector<std::string>& texts, const ParamTable& table, Manifest whole) {
  std::map<std::string, ManifestTensor> tensors;
  for (std::size_t r = 0; r < texts.size(); ++r) {
    Manifest part = parse_manifest(texts[r], fmt::format("what rank {} has written", r), ManifestScope::part);
    for (ManifestTensor& slice : part.tensors) {
      ManifestTensor& tensor = tensors[slice.name];
      tensor.name = slice.name;
      tensor.shape = slice.shape;
      for (std::size_t kind = 0; kind < kCheckpointKinds.size(); ++kind) {
        tensor.digests[kind].first += slice.digests[kind].first;
        tensor.digests[kind].second += slice.digests[kind].second;
      }
      for (ManifestChunk& chunk : slice.chunks) {
        chunk.file = whole.files.size();
        tensor.chunks.push_back(chunk);
      }
    }
    if (!part.files.empty()) whole.files.push_back(std::move(part.files[0]));
  }
  for (const auto& block : table.blocks()) {
    for (const ParamSpec& spec : block) whole.tensors.push_back(std::move(tensors[spec.name]));
  }
  return whole;
}

}  // namespace

ResumePolicy ResumePolicy::parse(std::string_view text) {
  if (text == "auto") return {Kind::automatic};
  if (text == "strict") return {Kind::strict};
  if (text == "never") return {Kind::never};
  std::int64_t step = -1;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), step);
  check_usage(fault == std::errc{} && end == text.data() + text.size() && step >= 0,
              "--resume {}: auto, strict, never or the number of a step expected", text);
  return {Kind::step, step};
}

Checkpoints::Checkpoints(CheckpointOptions options, const CheckpointParts& parts)
    : options_(std::move(options)), parts_(parts) {
  check_usage(options_.keep >= 1, "checkpoint.keep = {}: at least 1 must stay", options_.keep);
  open_root();
}

void Checkpoints::open_root() {
  const std::string& root = options_.root;
  on_rank_zero(parts_.world, [&]() -> std::string {
    std::error_code error;
    fs::create_directories(root, error);
    check(!error, "cannot make the folder {}: {}", root, error.message());
    remove_leftovers(root);
    return {};
  });
  probe_root({.root = root, .checkpoint_bytes = checkpoint_bytes(parts_.table)}, parts_.world);
  const std::string text = on_rank_zero(parts_.world, [&] {
    RunFile run;
    if (fs::exists(root + "/RUN.json")) {
      const std::string damaged = problem_of([&] { run = read_run_file(root); });
      check(damaged.empty(), "{}. Remove it and the run goes on under the name in its newest checkpoint", damaged);
    } else {
      run = adopt_run(root);
    }
    ++run.attempt;
    write_run_file(root, run);
    return fmt::format("{} {}", run.run, run.attempt);
  });
  run_ = text.substr(0, text.find(' '));
  attempt_ = std::stoll(text.substr(text.find(' ')));
  const std::string problem = first_problem(parts_.world, sees(root, {run_, attempt_}));
  check(problem.empty(), "{}", problem);
}

void Checkpoints::note(const std::string& line) const {
  if (parts_.world.rank() == 0 && options_.note) options_.note(line);
}

/// Writes this rank's file into the stage; returns what went wrong on any rank.
std::string Checkpoints::write_stage(const std::string& stage, const TrainState& state, Manifest& part) {
  const std::string own_problem = problem_of([&] {
    SliceMover mover(parts_.device, parts_.stream);
    part = write_shard(stage, checkpoint_file_name(parts_.world.rank(), parts_.world.size()),
                       parts_.store.slices(SliceKind::owned), mover);
    sync_directory(stage);
  });
  part.run = run_;
  part.attempt = attempt_;
  part.parent_step = parent_step_;
  part.world = parts_.world.size();
  part.config_hash = options_.config_hash;
  part.train = state;
  return first_problem(parts_.world, own_problem);
}

/// Makes the stage a checkpoint; returns why not. Throws when another job has taken the folder over.
std::string Checkpoints::commit(const std::string& stage, const Manifest& part) {
  const std::string& root = options_.root;
  const auto texts = parts_.world.host_gather(manifest_text(part));
  bool fenced = false;
  const std::string problem = problem_of([&] {
    const std::string reply = on_rank_zero(parts_.world, [&]() -> std::string {
      Manifest whole = part;
      whole.files.clear();
      whole.tensors.clear();
      const std::string text = manifest_text(merge_parts(texts, parts_.table, whole));
      parse_manifest(text, stage + "/MANIFEST.json");  // what is written can be read
      write_file_atomic(stage + "/MANIFEST.json", text);
      const RunFile now = read_run_file(root);
      if (now.run != run_ || now.attempt != attempt_) return "fenced";
      const std::string path = step_path(root, part.train.step);
      if (fs::exists(path)) move_to_quarantine(root, part.train.step, attempt_, "superseded");
      rename_synced(stage, path);
      if (options_.committed) options_.committed(path);
      return "committed";
    });
    fenced = reply == "fenced";
  });
  if ((fenced || !problem.empty()) && parts_.world.rank() == 0) discard(root, stage);
  check(!fenced, "another job has taken {} over (RUN.json names another attempt than {}): this one stops", root,
        attempt_);
  return problem;
}

/// Every rank asks the disk for the file that it wrote. Then the checkpoint is marked, or it is in quarantine and why
/// is returned.
std::string Checkpoints::read_back(std::int64_t step, const Manifest& part) {
  const std::string path = step_path(options_.root, step);
  const std::string problem = first_problem(parts_.world, problem_of([&] {
                                              if (parts_.world.rank() == 0) verify_manifest(path);
                                              verify_files(path, part);
                                            }));
  std::string outcome;
  const std::string not_done = problem_of([&] {
    outcome = on_rank_zero(parts_.world, [&]() -> std::string {
      if (!problem.empty()) return move_to_quarantine(options_.root, step, attempt_, "bad");
      mark_verified(path);
      return {};
    });
  });
  if (problem.empty()) {
    // It is saved all the same; only retention does not count it.
    if (!not_done.empty()) note(fmt::format("step {} is saved and was read back, but not marked: {}", step, not_done));
    return {};
  }
  return fmt::format("read back after it was written, it is damaged: {}; {}", problem,
                     not_done.empty() ? fmt::format("it is now {}", outcome)
                                      : fmt::format("it could not be moved to quarantine: {}", not_done));
}

SaveResult Checkpoints::save(const TrainState& state) {
  if (last_ && last_->step == state.step) return {.saved = true, .message = {}, .bytes = 0};  // it is there
  const std::string& root = options_.root;
  const auto not_saved = [&](const std::string& why) {
    return SaveResult{.saved = false, .message = fmt::format("step {} is not saved: {}", state.step, why), .bytes = 0};
  };
  std::string stage;
  std::string problem = problem_of(
      [&] { stage = on_rank_zero(parts_.world, [&] { return make_stage(root, state.step, attempt_, ++saves_); }); });
  if (!problem.empty()) return not_saved(problem);

  Manifest part;
  problem = write_stage(stage, state, part);
  if (!problem.empty()) {
    if (parts_.world.rank() == 0) discard(root, stage);
    return not_saved(problem);
  }
  problem = commit(stage, part);
  if (problem.empty()) problem = read_back(state.step, part);
  if (!problem.empty()) return not_saved(problem);

  last_ = state;
  if (parts_.world.rank() == 0) {
    // A hint for people, and room: neither makes the checkpoint less saved.
    problem_of([&] { write_file_atomic(root + "/LATEST", fs::path(step_path(root, state.step)).filename().string()); });
    problem_of([&] { remove_old(root, options_.keep); });
  }
  std::uint64_t bytes[] = {part.files.empty() ? 0 : part.files[0].bytes};
  parts_.world.host_sum(bytes);
  return {.saved = true, .message = {}, .bytes = bytes[0]};
}

}  // namespace trireme
