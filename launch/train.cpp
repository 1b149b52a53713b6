// SPDX-License-Identifier: Apache-2.0
// `trireme train`: trains a model, or goes on with it.
#include <boost/program_options/value_semantic.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <utility>

#include "core/base/error.h"
#include "core/base/status_board.h"
#include "core/base/stop.h"
#include "core/io/atomic_file.h"
#include "core/train/checkpoint.h"
#include "core/train/init.h"
#include "core/train/loss_picture.h"
#include "core/train/metrics.h"
#include "core/train/progress.h"
#include "core/train/trainer.h"
#include "launch/commands.h"
#include "launch/memory_check.h"
#include "launch/run.h"
#include "launch/time_limit.h"
#include "launch/train_check.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

/// One training run on this rank, from its first step here to its last.
class TrainingRun {
 public:
  TrainingRun(World& world, const RunConfig& config, const TrainOptions& options, std::unique_ptr<Device> device)
      : world_(world),
        config_(config),
        options_(options),
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
        progress_(stderr, config.train.steps, config.log.every,
                  world.rank() == 0 ? (fs::path(config.run.dir) / "log.txt").string() : ""),
        checkpoints_({.root = checkpoint_folder(config),
                      .keep = config.checkpoint.keep,
                      .config_hash = hash_of(config),
                      .note = [this](const std::string& line) { note(line); }},
                     checkpoint_parts(world, engine_)) {
    if (config.data.validation > 0) {
      held_out_ = make_loader(*engine_.device, loader_config(config, Split::validation));
    }
  }

  ExitCode run() {
    return static_cast<ExitCode>(run_together(world_, engine_, [this] { return static_cast<int>(train()); }));
  }

  /// For programs: what the run came to.
  nlohmann::json summary() const {
    const auto curve = read_loss_curve(fs::path(config_.run.dir) / "metrics.jsonl").training;
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

 private:
  ExitCode train() {
    start();
    process_status().enter(Phase::training);
    validate_if_left_out();
    const auto steps = config_.train.steps;
    while (trainer_.state().step < steps) {
      tell(trainer_.step(asked_to_stop()));
      const auto step = trainer_.state().step;
      const bool last = step == steps;
      if (last || due(config_.eval.every, step)) validate_now();
      const bool stop = stop_ || step == options_.stop_at;
      if (last || stop || owed_ || due(config_.checkpoint.every, step)) save(last || stop);
      if (stop && (!last || unvalidated_)) {
        note(fmt::format("stopped after step {} of {} ({}); the same command goes on from there", step, steps,
                         why_stopped(step)));
        return ExitCode::requeue;
      }
    }
    tell(trainer_.flush());
    if (unvalidated_) return ExitCode::requeue;
    if (world_.rank() == 0) note(last_line());
    return ExitCode::done;
  }

  /// What the run came to, and what to do with it.
  std::string last_line() const {
    const auto curve = read_loss_curve(fs::path(config_.run.dir) / "metrics.jsonl");
    std::string losses;
    if (trainer_.state().skipped > 0) losses += fmt::format(", {} UPDATES SKIPPED", trainer_.state().skipped);
    if (!curve.training.empty()) losses += fmt::format(", loss {:.4f}", curve.training.back().loss);
    if (!curve.validation.empty()) losses += fmt::format(", validation loss {:.4f}", curve.validation.back().loss);
    return fmt::format(
        "done: {} steps, {} tokens{}; the run is in {}; next: trireme inspect {}, or an exam: trireme "
        "eval {} --data FOLDER",
        trainer_.state().step, trainer_.state().tokens, losses, config_.run.dir, config_.run.dir, config_.run.dir);
  }

  static bool due(std::int64_t every, std::int64_t step) { return every > 0 && step % every == 0; }

  void note(const std::string& message) {
    if (world_.rank() == 0) progress_.note(message);
  }

  /// Whether this run repeats bit for bit, and what takes time at its beginning.
  std::string cuda_note() const {
    const auto choice = config_.cuda.deterministic;
    const bool repeats =
        choice == Determinism::always || (choice == Determinism::automatic && config_.train.sequence <= kRepeatsTo);
    std::string line = repeats ? "the same bits on every run"
                               : "attention's gradients differ in their last bits from run to run: cuda.deterministic";
    const auto folder = engine_config(config_).cache;
    if (config_.cuda.products == ProductChoice::measured && !folder.empty()) {
      line += fmt::format("; matrix products that {} does not have yet are measured in the first step, for seconds",
                          folder);
    }
    return line;
  }

  void start() {
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
      metrics_.emplace((fs::path(config_.run.dir) / "metrics.jsonl").string(), trainer_.state().step);
    }
  }

  void resume() {
    const auto state = checkpoints_.load(options_.resume);
    if (!state) return;
    trainer_.resume(*state);
    note(fmt::format("resumed after step {} of {}", state->step, config_.train.steps));
    if (options_.stop_at > 0 && options_.stop_at <= state->step) {
      note(fmt::format("warning: --stop-at {} is behind: this start goes on to step {}", options_.stop_at,
                       config_.train.steps));
    }
  }

  /// With `leaving`, what cannot be saved now never will be: an error. Otherwise training goes on without. After a step
  /// that was skipped, the next one that is not has its checkpoint.
  void save(bool leaving) {
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
    check(result.saved || !leaving,
          "the run ends here, and step {} could not be saved (see above); the same command goes on from the newest "
          "checkpoint in {}",
          trainer_.state().step, checkpoint_folder(config_));
    if (world_.rank() == 0) draw();
  }

  /// The loss curve so far, as RUN/loss.svg.
  void draw() const {
    const auto folder = fs::path(config_.run.dir);
    const auto curve = read_loss_curve(folder / "metrics.jsonl");
    const auto title = fmt::format("{}: {} parameters, {} tokens", folder.filename().string(), engine_.table.count(),
                                   trainer_.state().tokens);
    write_file_atomic(folder / "loss.svg", loss_picture(curve, title));
  }

  void tell(const std::optional<StepMetrics>& metrics) {
    if (!metrics) return;
    stop_ = stop_ || metrics->stop;
    skipping_ = metrics->skipped;
    if (world_.rank() == 0) {
      metrics_->write(*metrics);
      progress_.update(*metrics);
    }
    if (skipping_) tell_skipped(*metrics);
  }

  /// All ranks have come to the same verdict: they warn, or end, together.
  void tell_skipped(const StepMetrics& metrics) {
    const auto budget = config_.train.skip.budget;
    const auto what =
        fmt::format("step {} has loss {:.4g} and gradient norm {:.4g}", metrics.step, metrics.loss, metrics.grad_norm);
    check(metrics.skips <= budget,
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
  std::string why_stopped(std::int64_t step) const {
    if (step == options_.stop_at) return "--stop-at";
    if (stop_requested()) return "asked to by a signal";
    return limit_.near(save_seconds_) ? "its time is nearly over: run.max_seconds or SLURM_JOB_END_TIME"
                                      : "another rank was asked to";
  }

  /// For this rank; stop_ is what the ranks agreed on.
  bool asked_to_stop() const { return stop_requested() || limit_.near(save_seconds_); }

  void validate_now() {
    tell(trainer_.flush());
    if (!held_out_) return;
    // Beyond one pass over what is held out, samples would only be counted again.
    const auto samples = std::min(config_.eval.samples, held_out_->samples_per_epoch());
    const auto loss = trainer_.evaluate(*held_out_, samples, [this] { return asked_to_stop(); });
    unvalidated_ = !loss;
    stop_ = stop_ || unvalidated_;
    if (!loss) return;
    validation_loss_ = loss;
    const auto step = trainer_.state().step;
    if (world_.rank() == 0) metrics_->write_validation(step, *loss, samples);
    note(fmt::format("step {}: validation loss {:.4f} over {} samples", step, *loss, samples));
  }

  /// The validation that a run was stopped in is made up for when it goes on.
  void validate_if_left_out() {
    const auto step = trainer_.state().step;
    if (step == 0 || !(step == config_.train.steps || due(config_.eval.every, step))) return;
    std::string done;
    if (world_.rank() == 0) {
      const auto points = read_loss_curve(fs::path(config_.run.dir) / "metrics.jsonl").validation;
      if (!points.empty() && points.back().step == step) done = "yes";
    }
    world_.group().host_broadcast(done, 0);
    if (done.empty()) validate_now();
  }

  World& world_;
  const RunConfig config_;
  const TrainOptions& options_;
  std::unique_ptr<Watchdog> watchdog_;  // outlives whatever may hang
  Engine engine_;
  std::unique_ptr<BatchSource> samples_;
  std::unique_ptr<BatchSource> held_out_;
  Trainer trainer_;
  Progress progress_;
  Checkpoints checkpoints_;
  std::optional<MetricsLog> metrics_;
  std::optional<double> validation_loss_;
  const TimeLimit limit_{config_.run.max_seconds, std::getenv("SLURM_JOB_END_TIME")};
  double save_seconds_ = 0;   // the last checkpoint took
  bool stop_ = false;         // all ranks know that some rank was asked to
  bool skipping_ = false;     // the last update that was told was skipped
  bool owed_ = false;         // a checkpoint fell due on a skipped step
  bool unvalidated_ = false;  // a validation was broken off
};

}  // namespace

int train_command(std::span<const std::string> arguments) {
  namespace po = boost::program_options;
  CommandLine line{
      "train CONFIG [--set KEY=VALUE ...] [--resume auto|strict|STEP|never]",
      "Trains the model that CONFIG describes. The same command again resumes from the newest checkpoint, on "
      "any number of ranks. USR1 saves and leaves with exit code 75.",
      po::options_description("Options"),
      {"config"}};
  add_set_option(line.options);
  line.options.add_options()(
      "resume", po::value<std::string>()->default_value("auto"),
      "auto: the newest checkpoint that can be read; strict: the newest, or fail; STEP: that one; "
      "never: from the beginning; checkpoints that are there move to quarantine/")(
      "stop-at", po::value<std::int64_t>()->default_value(0), "save and leave with exit code 75 after this step")(
      "max-seconds", po::value<std::string>(), "the same before this time is over; as --set run.max_seconds=...")(
      "check", po::value<std::int64_t>(),
      "tell whether the settings, the data and the run folder let this many ranks start, or all that is wrong, and "
      "stop; "
      "needs no mpirun")(
      "describe",
      "print every setting with the value that CONFIG, --set and the preset give it, and stop; CONFIG may be "
      "left out");
  const auto values = parse_command_line(line, arguments);
  if (!values) return 0;
  if (values->count("describe") != 0) {
    const auto config = values->count("config") != 0 ? required(*values, "config") : std::string();
    return describe_run(config, set_options(*values), values->count("json") != 0);
  }
  TrainOptions options;
  options.config = required(*values, "config");
  options.sets = set_options(*values);
  if (values->count("max-seconds") != 0) {
    options.sets.push_back("run.max_seconds=" + required(*values, "max-seconds"));
  }
  options.stop_at = (*values)["stop-at"].as<std::int64_t>();
  Problems found;  // told together with those of the configuration
  try {
    options.resume = ResumePolicy::parse(required(*values, "resume"));
  } catch (const Error& e) {
    found.add("", e.what());
  }
  if (options.stop_at < 0) found.add("", fmt::format("--stop-at {}; expected a step, or 0 for none", options.stop_at));
  options.json = values->count("json") != 0;
  if (values->count("check") != 0) {
    const auto ranks = (*values)["check"].as<std::int64_t>();
    check_usage(ranks >= 1, "--check {}; expected a number of ranks", ranks);
    return check_run(options, ranks, found);
  }
  listen_for_stop();
  return run_in_world([&](World& world) {
    const auto config = shared_run_config(world, options.config, options.sets, found);
    auto device = make_device(world, engine_config(config));
    check_memory(world, config, *device, {options.config, options.sets});
    std::unique_ptr<FolderLock> lock;  // of rank 0, until the run ends
    on_rank_zero(world, [&] {
      lock = claim_run_folder(config);
      if (!lock->warning().empty()) fmt::print(stderr, "trireme: warning: {}\n", lock->warning());
    });
    TrainingRun run(world, config, options, std::move(device));
    const auto code = run.run();
    if (world.rank() == 0 && options.json) fmt::print("{}\n", run.summary().dump());
    return static_cast<int>(code);
  });
}

}  // namespace trireme
