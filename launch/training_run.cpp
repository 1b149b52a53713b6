// SPDX-License-Identifier: Apache-2.0
#include "launch/training_run.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <utility>

#include "core/base/status_board.h"
#include "core/base/stop.h"
#include "core/io/atomic_file.h"
#include "core/train/init.h"
#include "core/train/loss_picture.h"
#include "core/train/rank_agreement.h"
#include "launch/validation_sets.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

/// What all ranks meet at the same place, none of them waiting for another.
class SharedFailure : public Error {
 public:
  explicit SharedFailure(const std::string& message)
      : Error(message, ExitCode::failed, std::source_location::current()) {}
};

template <class... Args>
void check_together(bool ok, fmt::format_string<Args...> format, Args&&... args) {
  if (!ok) throw SharedFailure(fmt::format(format, std::forward<Args>(args)...));
}

bool due(std::int64_t every, std::int64_t step) { return every > 0 && step % every == 0; }

}  // namespace

TrainingRun::TrainingRun(World& world, const RunConfig& config, TrainingStart start, std::shared_ptr<Device> device)
    : world_(world),
      config_(config),
      start_(std::move(start)),
      watchdog_(make_watchdog(world, process_status(), config.watchdog.seconds)),
      engine_(world, config.model.architecture, engine_config(config), std::move(device)),
      samples_(make_loader(*engine_.device, loader_config(config, Split::train))),
      trainer_({.architecture = config_.model.architecture,
                .config = config_.train,
                .optimizer = config_.optimizer,
                .device = *engine_.device,
                .ops = *engine_.ops,
                .stream = *engine_.stream,
                .store = *engine_.store,
                .data = *engine_.mesh.data,
                .tensor = *engine_.mesh.tensor,
                .source = *samples_}),
      progress_(start_.out, config.train.steps, config.log.every,
                world.rank() == 0 ? (fs::path(config.run.dir) / "log.txt").string() : ""),
      checkpoints_({.root = checkpoint_folder(config),
                    .keep = config.checkpoint.keep,
                    .config_hash = hash_of(config),
                    .note = [this](const std::string& line) { note(line); }},
                   checkpoint_parts(world, engine_)),
      limit_(config_.run.max_seconds, std::getenv("SLURM_JOB_END_TIME")) {
  if (config.data.validation > 0) {
    held_out_ = make_loader(*engine_.device, loader_config(config, Split::validation));
  }
  for (const auto& set : validation_sets(config)) {
    sets_.emplace_back(set.name, make_loader(*engine_.device, set.loader));
  }
}

TrainingRun::~TrainingRun() = default;

ExitCode TrainingRun::run() {
  const auto kept = [this] {
    try {
      return train();
    } catch (const SharedFailure& failure) {
      if (!start_.keep_failures) throw;
      failure_ = failure.what();
    }
    // All ranks are here, and have enqueued the same: what was begun comes to its end.
    trainer_.flush();
    engine_.stream->synchronize();
    return ExitCode::failed;
  };
  return static_cast<ExitCode>(run_together(world_, engine_, [&] { return static_cast<int>(kept()); }));
}

nlohmann::json TrainingRun::summary() const {
  const auto curve = read_loss_curve(metrics_path(config_)).training;
  return {{"run", config_.run.dir},
          {"step", trainer_.state().step},
          {"steps", config_.train.steps},
          {"tokens", trainer_.state().tokens},
          {"skipped", trainer_.state().skipped},
          {"loss_first", curve.empty() ? nlohmann::json() : nlohmann::json(curve.front().loss)},
          {"loss_last", curve.empty() ? nlohmann::json() : nlohmann::json(curve.back().loss)},
          {"validation_loss", validation_loss_ ? nlohmann::json(*validation_loss_) : nlohmann::json()},
          {"parameters", engine_.table.count()},
          {"ranks", world_.size()}};
}

ExitCode TrainingRun::train() {
  begin();
  process_status().enter(Phase::training);
  validate_if_left_out();
  const auto steps = config_.train.steps;
  while (trainer_.state().step < steps) {
    tell(trainer_.step(asked_to_stop()));
    const auto step = trainer_.state().step;
    const bool last = step == steps;
    if (last || due(config_.eval.every, step)) validate_now();
    for (const BranchPoint& branch : start_.branches) {
      if (branch.step == step) leave_branch(branch);
    }
    const bool stop = stop_ || step == start_.stop_at;
    if (last || stop || owed_ || due(config_.checkpoint.every, step)) save(last || stop);
    if (stop && (!last || unvalidated_)) {
      note(fmt::format("stopped after step {} of {} ({}); the same command goes on from there", step, steps,
                       why_stopped(step)));
      return ExitCode::requeue;
    }
  }
  tell(trainer_.flush());
  if (unvalidated_) return ExitCode::requeue;
  if (exam_is_left()) sit_exam();
  if (world_.rank() == 0) note(last_line());
  return ExitCode::done;
}

/// What the run came to, and what to do with it.
std::string TrainingRun::last_line() const {
  const auto curve = read_loss_curve(metrics_path(config_));
  std::string losses;
  if (trainer_.state().skipped > 0) losses += fmt::format(", {} UPDATES SKIPPED", trainer_.state().skipped);
  if (!curve.training.empty()) losses += fmt::format(", loss {:.4f}", curve.training.back().loss);
  if (!curve.validation.empty()) losses += fmt::format(", validation loss {:.4f}", curve.validation.back().loss);
  return fmt::format(
      "done: {} steps, {} tokens{}; the run is in {}; next: trireme inspect {}, or an exam: trireme "
      "eval {} --data FOLDER",
      trainer_.state().step, trainer_.state().tokens, losses, config_.run.dir, config_.run.dir, config_.run.dir);
}

void TrainingRun::note(const std::string& message) {
  if (world_.rank() == 0) progress_.note(message);
}

/// Whether this run repeats bit for bit, and what takes time at its beginning.
std::string TrainingRun::cuda_note() const {
  const auto choice = config_.cuda.deterministic;
  const bool repeats =
      choice == Determinism::always || (choice == Determinism::automatic && config_.train.sequence <= kRepeatsTo);
  std::string line = repeats ? "the same bits on every run"
                             : "attention's gradients differ in their last bits from run to run: cuda.deterministic";
  const auto folder = engine_config(config_).cache;
  if (config_.cuda.products == ProductChoice::measured && !folder.empty()) {
    line +=
        fmt::format("; matrix products that {} does not have yet are measured in the first step, for seconds", folder);
  }
  return line;
}

void TrainingRun::begin() {
  const auto& a = config_.model.architecture;
  note(fmt::format("{} parameters, vocabulary {}, {} ranks ({} each), {}", engine_.table.count(), a.vocabulary,
                   world_.size(), engine_.device->description(), name(config_.train.precision)));
  if (world_.size() > 1) {
    const auto devices = world_.group().host_gather(engine_.device->description());
    for (const auto& line : mesh_table(world_, config_.mesh, devices)) note(line);
  }
  if (engine_.device->kind() == DeviceKind::cuda) note(cuda_note());
  if (const auto line = padding_note(a, config_.mesh.tensor); !line.empty()) note(line);
  std::size_t bytes = trainer_.plan().bytes();
  std::string parts = fmt::format("activations {:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
  for (const auto& [purpose, size] : engine_.store->memory()) {
    bytes += size;
    parts += fmt::format(", {} {:.1f} MiB", purpose, static_cast<double>(size) / (1 << 20));
  }
  note(fmt::format("memory of each rank: {:.1f} MiB ({})", static_cast<double>(bytes) / (1 << 20), parts));
  initialise(engine_.table, *engine_.store, *engine_.device, *engine_.stream, config_.train.seed);
  resume();
  if (world_.rank() == 0) {
    metrics_.emplace(metrics_path(config_), trainer_.state().step);
  }
}

void TrainingRun::resume() {
  const auto state = checkpoints_.load(start_.resume);
  if (!state) return;
  trainer_.resume(*state);
  note(fmt::format("resumed after step {} of {}", state->step, config_.train.steps));
  if (start_.stop_at > 0 && start_.stop_at <= state->step) {
    note(fmt::format("warning: --stop-at {} is behind: this start goes on to step {}", start_.stop_at,
                     config_.train.steps));
  }
}

/// With `leaving`, what cannot be saved now never will be: an error. Otherwise training goes on without. After a step
/// that was skipped, the next one that is not has its checkpoint.
void TrainingRun::save(bool leaving) {
  tell(trainer_.flush());
  const bool owed = std::exchange(owed_, skipping_ && !leaving);
  if (owed_) {
    if (!owed) note(fmt::format("step {}: no checkpoint yet, as this step was skipped", trainer_.state().step));
    return;
  }
  const PhaseScope scope(process_status(), Phase::checkpoint);
  const auto began = std::chrono::steady_clock::now();
  const auto result = checkpoints_.save(trainer_.state());
  save_seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  note(result.saved ? fmt::format("step {}: checkpoint of {:.1f} MiB", trainer_.state().step,
                                  static_cast<double>(result.bytes) / (1 << 20))
                    : "checkpoint not saved: " + result.message);
  check_together(
      result.saved || !leaving,
      "the run ends here, and step {} could not be saved (see above); the same command goes on from the newest "
      "checkpoint in {}",
      trainer_.state().step, checkpoint_folder(config_));
  if (world_.rank() == 0) draw();
}

/// Gives a run that leaves here what it would have if it had come here by itself: the past in its metrics, and then, so
/// that one is never without the other, a checkpoint.
void TrainingRun::leave_branch(const BranchPoint& branch) {
  tell(trainer_.flush());
  if (has_branch(branch)) return;
  const PhaseScope scope(process_status(), Phase::checkpoint);
  on_rank_zero(world_.group(), [&]() -> std::string {
    fs::create_directories(branch.config.run.dir);
    fs::copy_file(metrics_path(config_), metrics_path(branch.config), fs::copy_options::overwrite_existing);
    return {};
  });
  Checkpoints checkpoints({.root = checkpoint_folder(branch.config),
                           .keep = branch.config.checkpoint.keep,
                           .config_hash = hash_of(branch.config),
                           .note = [this](const std::string& line) { note(line); }},
                          checkpoint_parts(world_, engine_));
  const auto result = checkpoints.save(trainer_.state());
  check_together(result.saved, "the run that leaves here, {}, cannot start: {}", branch.config.run.dir, result.message);
  note(fmt::format("step {}: {} leaves here", branch.step, branch.config.run.dir));
}

bool TrainingRun::has_branch(const BranchPoint& branch) {
  const auto root = checkpoint_folder(branch.config);
  return !on_rank_zero(world_.group(), [&]() -> std::string {
            return fs::is_directory(root) && !list_checkpoints(root).empty() ? "yes" : "";
          }).empty();
}

/// The loss curve so far, as RUN/loss.svg.
void TrainingRun::draw() const {
  const auto folder = fs::path(config_.run.dir);
  const auto curve = read_loss_curve(folder / "metrics.jsonl");
  const auto title = fmt::format("{}: {} parameters, {} tokens", folder.filename().string(), engine_.table.count(),
                                 trainer_.state().tokens);
  write_file_atomic(folder / "loss.svg", loss_picture(curve, title));
}

void TrainingRun::tell(const std::optional<StepMetrics>& metrics) {
  if (!metrics) return;
  stop_ = stop_ || metrics->stop;
  skipping_ = metrics->skipped;
  if (world_.rank() == 0) {
    metrics_->write(*metrics);
    progress_.update(*metrics);
    if (start_.told) start_.told(*metrics);
  }
  if (skipping_) tell_skipped(*metrics);
}

/// All ranks have come to the same verdict: they warn, or end, together.
void TrainingRun::tell_skipped(const StepMetrics& metrics) {
  const auto budget = config_.train.skip.budget;
  const auto what =
      fmt::format("step {} has loss {:.4g} and gradient norm {:.4g}", metrics.step, metrics.loss, metrics.grad_norm);
  diverged_ = metrics.skips > budget;
  check_together(
      !diverged_,
      "{}: this is skipped update {} of the run, and train.skip.budget allows {}; {} start a new run.dir with a "
      "lower optimizer.lr; the checkpoints of before are in {}",
      what, metrics.skips, budget,
      std::isfinite(metrics.loss) && std::isfinite(metrics.grad_norm)
          ? "if such a step is none to skip, start again with a larger train.skip.budget or train.skip.*_factor, or"
          : "the run has diverged:",
      checkpoint_folder(config_));
  note(
      fmt::format("warning: {}: this update is SKIPPED on all ranks, the parameters stay as they were; {} of the {} "
                  "that train.skip.budget allows",
                  what, metrics.skips, budget));
}

/// For people; ranks may have different reasons, this is the first one's.
std::string TrainingRun::why_stopped(std::int64_t step) const {
  if (step == start_.stop_at) return "--stop-at";
  if (stop_requested()) return "asked to by a signal";
  return limit_.near(save_seconds_) ? "its time is nearly over: run.max_seconds or SLURM_JOB_END_TIME"
                                    : "another rank was asked to";
}

/// For this rank; stop_ is what the ranks agreed on.
bool TrainingRun::asked_to_stop() const {
  return stop_requested() || limit_.near(save_seconds_) || (start_.leave && start_.leave(save_seconds_));
}

void TrainingRun::validate_now() {
  tell(trainer_.flush());
  if (!held_out_) return;
  const auto samples = samples_of(*held_out_);
  const auto loss = validated(*held_out_);
  if (!loss) return;
  std::map<std::string, double> of_sets;
  std::string told;
  for (const auto& [name, set] : sets_) {
    const auto own = validated(*set);
    if (!own) return;
    of_sets[name] = *own;
    told += fmt::format(", {} {:.4f}", name, *own);
  }
  validation_loss_ = loss;
  const auto step = trainer_.state().step;
  if (world_.rank() == 0) metrics_->write_validation(step, *loss, samples, of_sets);
  note(fmt::format("step {}: validation loss {:.4f} over {} samples{}", step, *loss, samples, told));
}

/// Beyond one pass over a set, samples would only be counted again.
std::int64_t TrainingRun::samples_of(const BatchSource& set) const {
  return std::min(config_.eval.samples, set.samples_per_epoch());
}

/// Its loss; none where the run is asked to stop, which it then does.
std::optional<double> TrainingRun::validated(BatchSource& set) {
  const auto loss = trainer_.evaluate(set, samples_of(set), [this] { return asked_to_stop(); });
  unvalidated_ = !loss;
  stop_ = stop_ || unvalidated_;
  return loss;
}

/// The validation that a run was stopped in is made up for when it goes on.
void TrainingRun::validate_if_left_out() {
  const auto step = trainer_.state().step;
  if (step == 0 || !(step == config_.train.steps || due(config_.eval.every, step))) return;
  std::string done;
  if (world_.rank() == 0) {
    const auto points = read_loss_curve(metrics_path(config_)).validation;
    if (!points.empty() && points.back().step == step) done = "yes";
  }
  world_.group().host_broadcast(done, 0);
  if (done.empty()) validate_now();
}

}  // namespace trireme
